"""The screen: a queue of tickets, a conversation, and the keys that work on both."""
