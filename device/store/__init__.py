"""What the home remembers: people, consent, adapters, floors."""
