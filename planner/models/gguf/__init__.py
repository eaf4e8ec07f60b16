"""Language models in GGUF files on this machine, run by llama.cpp without a server that somebody has to start."""
