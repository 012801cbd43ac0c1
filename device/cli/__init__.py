"""The one public command, `pvchat-edge`: one module a verb, imported when it is chosen."""
