"""Whether people in a folder of clips are told apart: who is who, who is nobody."""
