"""The paper's data pipeline as one program: clips of a person to a folder of clips, questions and answers."""
