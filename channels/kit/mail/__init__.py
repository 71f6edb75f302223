"""Reading and writing what RFC 5322 describes: mails, and the articles of newsgroups."""
