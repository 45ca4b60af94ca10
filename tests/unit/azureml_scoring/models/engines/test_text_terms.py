"""A text has the same terms as in scikit-learn, in the same order, whatever the options."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from azureml_scoring.models.engines.text_terms import TextOptions, splitter

PATTERNS = (r"(?u)\b\w\w+\b", r"\b[a-z]+\b", r"(?:#)(\w*)", r"\S+", r"\d*", ".")
TEXTS = st.text(st.sampled_from("aAbß Éé\u0301İ\n\t_-.1#,中😀\x00'\u2003"), max_size=40) | st.text(
    max_size=60
)


@st.composite
def vectorizers(draw: st.DrawFn) -> Any:
    least = draw(st.integers(1, 3))
    return CountVectorizer(
        analyzer=draw(st.sampled_from(["word", "char", "char_wb"])),
        lowercase=draw(st.booleans()),
        strip_accents=draw(st.sampled_from([None, "ascii", "unicode"])),
        token_pattern=draw(st.sampled_from(PATTERNS)),
        stop_words=draw(st.sampled_from([None, [], ["ab", "é"], "english"])),
        ngram_range=(least, least + draw(st.integers(0, 3))),
    )


def options_of(vectorizer: Any) -> TextOptions:
    return TextOptions(
        vectorizer.analyzer,
        vectorizer.lowercase,
        vectorizer.strip_accents,
        vectorizer.token_pattern,
        tuple(vectorizer.get_stop_words() or ()),
        *vectorizer.ngram_range,
    )


@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
@given(vectorizers(), TEXTS)
@example(CountVectorizer(strip_accents="unicode", ngram_range=(1, 2)), "Ĳ İ ﬁ a\u0301 bb ccc")
@example(CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)), "a bc \n\n def\x1cghij")
@example(CountVectorizer(analyzer="char", ngram_range=(1, 4)), "a \n\n b")
def test_a_text_has_the_terms_of_scikit_learn(vectorizer: Any, text: str):
    """Words, runs of words and runs of characters, with accents, stop words and any pattern."""
    assert splitter(options_of(vectorizer))(text) == vectorizer.build_analyzer()(text)


def test_a_pattern_that_is_none_is_an_error():
    """A damaged file is found when it is read, not by the first text."""
    with pytest.raises(re.error):
        splitter(TextOptions("word", True, None, "(", (), 1, 1))
