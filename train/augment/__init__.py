"""What training makes out of one clip: questions and answers, and more of the same person."""
