"""What the tokenizer refuses."""

from primer_ref.tokenizer import BPETokenizer

ROWS = [
    (BPETokenizer, {"tokens": ["a", "a"], "merges": []}, "must be different; got one twice"),
    (BPETokenizer, {"tokens": ["a", "b"], "merges": ["a b"]}, "make a third one; got 'a b'"),
    (BPETokenizer, {"tokens": ["a b"], "merges": []}, "written in byte characters; got ' '"),
    (BPETokenizer, {"tokens": ["a"], "merges": [], "specials": [-1]}, "one of 1; got -1"),
    (BPETokenizer, {"tokens": ["a"], "merges": [], "specials": [1]}, "one of 1; got 1"),
    (BPETokenizer, {"tokens": ["a", ""], "merges": [], "specials": [1]}, "must have a name"),
    (BPETokenizer(["a"], []).encode, {"text": "ab"}, "byte 0x62 in 'ab' is not"),
    (BPETokenizer(["a"], []).encode, {"text": "a\udcffb"}, r"valid Unicode; got '\\udcff'"),
    (BPETokenizer(["a"], []).encode, {"text": b"a"}, "a text must be a string; got b'a'"),
    (
        BPETokenizer(["a"], []).encode,
        {"text": None, "specials": True},
        "must be a string; got None",
    ),
    (BPETokenizer(["a"], []).decode, {"numbers": [1]}, "a token must be one of 1; got 1"),
    (BPETokenizer.from_merges, {"merges": ["a b", "ab cd"]}, "merges made; got 'cd'"),
    (BPETokenizer.from_merges, {"merges": [], "specials": ["a"]}, "must be different"),
]
