"""What the end-to-end tests share: the published contract, a server process, a small client."""
