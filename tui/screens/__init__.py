"""What fills the screen: the queue, or one ticket."""
