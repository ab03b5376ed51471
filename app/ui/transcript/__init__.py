"""The transcript: shows a conversation and streams an answer into it, however long they are."""
