"""The parts of PVChat in torch, one network a file; assembled in pvchat.py."""
