"""What happens in a socket, told to whoever wants to know."""
