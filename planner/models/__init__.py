"""What answers prompts: language models, asked directly or through litellm, and models without a language model."""
