"""What answers prompts: language models through litellm, and models without a language model."""
