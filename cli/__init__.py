"""The command `neighbor`: git, terminals and processes in front of the store."""
