"""Conversations as a chat model was trained to read them: ChatML, with marks around every turn."""

from __future__ import annotations

from collections.abc import Sequence

from primer_ref.tokenizer import BPETokenizer

__all__ = ["ROLES", "SYSTEM", "chat_prompt"]

#: Who may speak.
ROLES = ("system", "user", "assistant")

#: What SmolLM2-Instruct is told where nobody else tells it anything.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def chat_prompt(tokenizer: BPETokenizer, messages: Sequence[tuple[str, str]]) -> list[int]:
    r"""Write a conversation as tokens, up to where the model's next turn begins.

    Parameters
    ----------
    tokenizer : BPETokenizer
        A tokenizer with the marks ``<|im_start|>`` and ``<|im_end|>``.
    messages : sequence of tuple of str
        Who says what: a role of `ROLES`, and a text. Without a system message at the start, that
        of `SYSTEM` is put there.

    Returns
    -------
    list of int
        Token numbers.

    Raises
    ------
    ValueError
        If there is no message, a role is unknown, or the tokenizer lacks the marks.

    Notes
    -----
    Texts are encoded as plain text: marks in them stay text. Nothing else keeps what a user says
    apart from the instructions.

    References
    ----------
    The template in the metadata of the model's file, ``tokenizer.chat_template``.

    Examples
    --------
    >>> from primer_ref import llama
    >>> from primer_ref.chat import chat_prompt
    >>> tokenizer = llama.load().tokenizer
    >>> prompt = chat_prompt(tokenizer, [("system", "Be brief."), ("user", "Hi!")])
    >>> print(tokenizer.decode(prompt))
    <|im_start|>system
    Be brief.<|im_end|>
    <|im_start|>user
    Hi!<|im_end|>
    <|im_start|>assistant
    <BLANKLINE>
    """
    if not messages:
        raise ValueError("a conversation must have a message; got none")
    missing = {"<|im_start|>", "<|im_end|>"} - tokenizer.specials.keys()
    if missing:
        raise ValueError(f"a chat tokenizer must have the mark {min(missing)!r}; it has none")
    if messages[0][0] != "system":
        messages = [("system", SYSTEM), *messages]
    prompt: list[int] = []
    for role, text in messages:
        if role not in ROLES:
            raise ValueError(f"a role must be one of {', '.join(ROLES)}; got {role!r}")
        prompt += tokenizer.encode(f"<|im_start|>{role}\n", specials=True)
        prompt += tokenizer.encode(text)
        prompt += tokenizer.encode("<|im_end|>\n", specials=True)
    return prompt + tokenizer.encode("<|im_start|>assistant\n", specials=True)
