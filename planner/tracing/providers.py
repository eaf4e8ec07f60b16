"""What the conventions for generative AI call whoever serves a model, told from the name that litellm knows it by."""

import re

from ramify.planner.models.protocol import Model

_PROVIDERS = {
    "anthropic_text": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "text-completion-openai": "openai",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""What the conventions call the providers that litellm calls otherwise."""

_FAMILIES = (
    (re.compile(r"(?:[a-z]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral)\."), "aws.bedrock"),
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gemini"), "gcp.gen_ai"),
    (re.compile(r"command"), "cohere"),
    (re.compile(r"(?:mistral|ministral|codestral|magistral|devstral|pixtral)"), "mistral_ai"),
    (re.compile(r"deepseek"), "deepseek"),
    (re.compile(r"grok"), "x_ai"),
    (re.compile(r"kimi|moonshot"), "moonshot_ai"),
    (re.compile(r"sonar"), "perplexity"),
)
"""Whose models are known by name alone; for Google's it depends on the keys that there are which endpoint that is."""


def provider_of(model: Model) -> str:
    """Return the `gen_ai.provider.name` of a model; what is served at an address of its own speaks OpenAI's API.

    Source: OpenTelemetry semantic conventions for generative AI, `gen_ai.provider.name`; litellm 1.105's providers.
    """
    if not model.is_language_model:
        return "ramify"
    if getattr(model, "has_address", False):
        return "openai"
    prefix, separator, _ = model.name.partition("/")
    if separator:
        return _PROVIDERS.get(prefix, prefix)
    name = model.name.casefold()
    return next((provider for family, provider in _FAMILIES if family.match(name)), "openai")
