"""The long-running process of the home: watches cameras, keeps the runtime alive, answers with coverage."""
