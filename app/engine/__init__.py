"""The only place that meets llama.cpp for chat; it runs in a child process."""
