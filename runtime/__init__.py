"""The torch-free part that runs in the home: contract, engines, session, server, client."""
