"""The process that reads and sends: pumps in, outbox out, clocks; each under a lease."""
