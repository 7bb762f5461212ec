"""What a question asks of a text: counts, listings, look-ups, and what is beyond the tutor.

Each grammar must account for *every* word of a question. A question that is understood in part is not counted at all:
a left-over word ("most", "per year", "besides") may turn the meaning round, and a wrong number is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rlm_kernel.models.tutor.wording import DOCUMENT, Clause, code_names, key_words


@dataclass(frozen=True, slots=True)
class Search:
    """Quoted texts, and how they are compared."""

    terms: tuple[str, ...]
    join: Literal["all", "any"] = "all"
    case: bool = True
    whole: bool = False
    said: bool = True
    """Whether the question said how; else the answer also gives the other readings."""
    where: Literal["in", "start", "end"] = "in"

    def patterns(self) -> list[str]:
        """Give one regular expression a term; a space in a term matches any white space."""
        bodies = [r"\s+".join(re.escape(word) for word in term.split()) for term in self.terms]
        if self.whole:
            bodies = [rf"(?<!\w){body}(?!\w)" for body in bodies]
        before, after = {"in": ("", ""), "start": (r"\A\s*", ""), "end": ("", r"\s*\Z")}[self.where]
        return [f"{before}{body}{after}" for body in bodies]


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How many times one quoted text occurs."""

    search: Search


@dataclass(frozen=True, slots=True)
class Units:
    """How many lines, words, pages … there are."""

    noun: str
    empty: bool = False
    """Count the empty ones."""


@dataclass(frozen=True, slots=True)
class UnitsWith:
    """The lines, paragraphs, pages … that contain quoted texts."""

    noun: str
    search: Search
    action: Literal["count", "list", "first", "last"] = "count"
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Frequent:
    """The most frequent words."""

    number: int = 1
    letters: int = 1
    """Shortest word that counts."""


@dataclass(frozen=True, slots=True)
class Extreme:
    """The longest or shortest line, paragraph or word."""

    noun: str
    longest: bool
    after_label: bool = False
    """Measure what follows the reference at the start of the line."""


@dataclass(frozen=True, slots=True)
class Describe:
    """What the document is: type, size, shape, headings, columns."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find the passages with the words of a question and quote them."""

    question: str
    words: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    many: bool = False
    """It asks for passages on something, not for the one that holds an answer."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """A question that the tutor must not answer."""

    question: str
    reason: str
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


Ask = Occurrences | Units | UnitsWith | Frequent | Extreme | Describe | Lookup | Beyond

_UNIT = r"(?:(?:text|log|document|csv) )?(?P<unit>[a-z]+)(?: of text)?(?: \((?P<unit_as>[a-z]+)\))?"
_KIND = (
    r"(?:(?:words?|phrases?|names?|strings?|texts?|terms?|expressions?|letters?|characters?|numbers?|"
    r"sequences?|spelling) )?"
)
_QUOTES = (
    r"(?P<join>both |either |all(?: of)?(?: the)? |any(?: one)?(?: of)?(?: the)? )?(?:of )?(?:the )?(?P<kind>"
    + _KIND
    + r")"
    r"(?P<quotes>⟦\d+⟧(?:(?:,? and |,? or |, )(?:also )?(?:the )?" + _KIND + r"⟦\d+⟧)*)(?: in (?:it|them))?"
)
_HAVE = (
    r"(?:(?:that |which |to )?(?:do |does )?(?:(?P<not>not |don't |doesn't |do not |does not )?)"
    r"(?P<verb>contain(?:s|ing)?|ha(?:ve|s|ving)|includ(?:e|es|ing)|mention(?:s|ing)?|with|hold(?:s|ing)?|us(?:e|"
    r"es|ing)"
    r"|start(?:s|ing)? with|begin(?:s|ning)? with|end(?:s|ing)? (?:with|in)|without|lack(?:s|ing)?)(?: at least "
    r"one| an?)?)"
)
_OCCUR = (
    r"(?:occur|occurs|appear|appears|used|mentioned|found|written|named|present|come up|comes up|show up|"
    r"shows up|stand|stands)"
)
_DO = r"(?:does|do|is|are|was|were|did|has|have)"
_SHOW = (
    r"(?:(?:list|show|print|quote|find|give|display)(?: me)?(?: all| every| each)?(?: of)?(?: the)?|(?:which|"
    r"what)(?: are)?(?: all)?(?: the)?)"
)
_THERE = (
    rf"(?: (?:are|is|exist|do we have|there are)(?: there)?| {_DO} {DOCUMENT} (?:contain|have|hold|consist of|"
    rf"comprise|include|count))?"
)


def understand(clause: Clause, follows: bool = False) -> list[Ask]:
    """Say what one clause asks of a text; the last resorts are `Lookup` and `Beyond`.

    Args:
        clause: The clause.
        follows: Whether another clause comes before it, so that "it" may mean something in that one.
    """
    for pattern, make in _GRAMMARS:
        if found := pattern.fullmatch(clause.plain):
            asks = make(clause, found)
            if asks:
                return asks
    return [_fall_back(clause, follows)]


def _search(clause: Clause, found: re.Match[str]) -> Search | None:
    marks = found["quotes"]
    both, either = " and " in marks, " or " in marks
    join = (found["join"] or "").strip().lower()
    if (both and either) or (both and join.startswith(("either", "any"))) or (either and join.startswith("both")):
        return None
    kind = (found["kind"] or "").strip().lower()
    whole = clause.whole if clause.whole is not None else kind.startswith("word")
    said = clause.case is not None and (clause.whole is not None or kind.startswith("word"))
    any_of = either or join.startswith(("either", "any"))
    return Search(clause.quoted(marks), "any" if any_of else "all", clause.case is not False, whole, said)


def _occurrences(clause: Clause, found: re.Match[str]) -> list[Ask]:
    search = _search(clause, found)
    if search is None:
        return []
    return [Occurrences(Search((term,), "all", search.case, search.whole, search.said)) for term in search.terms]


def _units_with(action: Literal["count", "list", "first", "last"] | None) -> _Maker:
    def make(clause: Clause, found: re.Match[str]) -> list[Ask]:
        groups = found.groupdict()
        search = _search(clause, found)
        verb = (groups.get("verb") or "").lower()
        negate = bool(groups.get("not")) or verb == "without" or verb.startswith("lack")
        if search is None or (negate and len(search.terms) > 1):
            return []
        if verb.startswith(("start", "begin")):
            search = Search(search.terms, search.join, search.case, search.whole, search.said, "start")
        elif verb.startswith("end"):
            search = Search(search.terms, search.join, search.case, search.whole, search.said, "end")
        noun = (groups.get("unit_as") or groups.get("unit") or "line").lower()
        which = action or ("last" if (groups.get("end") or "").lower() in ("last", "final") else "first")
        return [UnitsWith(noun, search, which, negate)]

    return make


def _units(clause: Clause, found: re.Match[str]) -> list[Ask]:
    noun = (found["unit_as"] or found["unit"]).lower()
    return [Units(noun, empty=bool(found["empty"]))] if clause.case is None and clause.whole is None else []


def _frequent(clause: Clause, found: re.Match[str]) -> list[Ask]:
    groups = found.groupdict()
    small = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "twenty": 20}
    number = (groups.get("number") or "").lower()
    plural = bool(groups.get("plural"))
    letters = int(groups.get("letters") or 1) + (
        1 if (groups.get("than") or "").lower().startswith(("more", "long")) else 0
    )
    return [Frequent(small.get(number) or int(number or (10 if plural else 1)), letters)]


def _extreme(clause: Clause, found: re.Match[str]) -> list[Ask]:
    groups = found.groupdict()
    noun = (groups.get("unit_as") or groups["unit"]).lower()
    longest = groups["extreme"].lower() == "longest"
    measure = (groups.get("measure") or "").lower()
    if measure and (measure == "most") != longest:
        return []
    return [Extreme(noun, longest, bool(groups.get("label") or groups.get("reference")))]


def _describe(clause: Clause, found: re.Match[str]) -> list[Ask]:
    return [Describe()]


_Maker = Callable[[Clause, "re.Match[str]"], list[Ask]]


def _grammar(pattern: str, make: _Maker) -> tuple[re.Pattern[str], _Maker]:
    return re.compile(pattern, re.IGNORECASE), make


_GRAMMARS: list[tuple[re.Pattern[str], _Maker]] = [
    _grammar(rf"how (?:many times|often) {_DO} {_QUOTES}(?: {_OCCUR})?", _occurrences),
    _grammar(rf"(?:{_DO} )?{_QUOTES} {_OCCUR}", _occurrences),
    _grammar(rf"{_DO} (?:{DOCUMENT}|it|there) (?:contain|have|include|mention|use) {_QUOTES}", _occurrences),
    _grammar(
        r"(?:how many|count|what is|give)?(?: me)?(?: all)?(?: the)?(?: (?:total )?(?:number|count) of)?"
        rf" ?(?:occurrences?|mentions?|instances?|appearances?) of {_QUOTES}{_THERE}",
        _occurrences,
    ),
    _grammar(rf"(?:what is |give )?(?:me )?the number of times {_QUOTES} (?:is |are )?{_OCCUR}", _occurrences),
    _grammar(rf"count (?:how (?:many times|often) )?{_QUOTES}(?: (?:is |are )?{_OCCUR})?", _occurrences),
    _grammar(
        rf"(?:how many|count (?:all )?(?:the )?|(?:what is )?the number of)\s?{_UNIT}{_THERE} {_HAVE} {_QUOTES}",
        _units_with("count"),
    ),
    _grammar(rf"(?:in|on) how many {_UNIT} {_DO} {_QUOTES}(?: {_OCCUR})?", _units_with("count")),
    _grammar(
        rf"(?:where|(?:in|on) (?:which|what) {_UNIT}) {_DO} {_QUOTES} (?P<end>first|last|finally) {_OCCUR}",
        _units_with(None),
    ),
    _grammar(
        rf"(?:where|(?:in|on) (?:which|what) {_UNIT}) {_DO} {_QUOTES} {_OCCUR} (?:for the )?(?P<end>first|last)(?: "
        rf"time)?",
        _units_with(None),
    ),
    _grammar(
        rf"(?:(?:what|where|which) is |{_SHOW} )?(?:the )?(?P<end>first|last|final) (?:occurrence|mention|"
        rf"appearance|instance) of {_QUOTES}",
        _units_with(None),
    ),
    _grammar(
        rf"(?:(?:what|where|which) is (?:the )?|{_SHOW} ?|the )(?P<end>first|last|final) {_UNIT} {_HAVE} {_QUOTES}",
        _units_with(None),
    ),
    _grammar(rf"{_SHOW} ?{_UNIT} {_HAVE} {_QUOTES}", _units_with("list")),
    _grammar(rf"(?:in|on) (?:which|what) {_UNIT} {_DO} {_QUOTES}(?: {_OCCUR})?", _units_with("list")),
    _grammar(rf"where {_DO} {_QUOTES}(?: {_OCCUR})?", _units_with("list")),
    _grammar(rf"{_SHOW} ?(?:occurrences|mentions|instances) of {_QUOTES}", _units_with("list")),
    _grammar(
        r"(?:how many|count (?:all )?(?:the )?|(?:what is )?the (?:total )?number of)"
        rf"\s?(?P<empty>empty |blank )?{_UNIT}{_THERE}",
        _units,
    ),
    _grammar(
        r"(?:what|which) (?:is|are) (?:the )?(?:(?P<number>\d{1,3}|two|three|four|five|ten|twenty) )?most "
        r"(?:frequent|common|frequently used"
        r"|often used|used) words?(?P<plural>(?<=s))?(?: (?:with|of) (?P<than>at least|more than) (?P<letters>\d+) "
        r"(?:letters|characters))?",
        _frequent,
    ),
    _grammar(
        r"(?:what|which) words? (?:occurs?|appears?|is used|are used) (?:the )?most(?: often| frequently)?", _frequent
    ),
    _grammar(
        r"(?:(?:what|which) is |show |quote |find |give )?(?:me )?(?:the )?(?:(?:full )?text of )?(?:the )"
        r"?(?P<extreme>longest|shortest) "
        rf"{_UNIT}(?: \((?P<measure>fewest|most) characters(?P<label> after the reference)?\))?",
        _extreme,
    ),
    _grammar(
        rf"(?:which|what) {_UNIT}(?P<reference> reference)? (?:is|has) (?:the )?(?P<extreme>longest|shortest)(?: "
        rf"text)?",
        _extreme,
    ),
    _grammar(
        r"(?:what (?:kind|sort|type) of (?:document|text|file|data|thing) is (?:this|it)|what is (?:this(?: "
        r"document| text| file)?|it)"
        r"|describe (?:the |this )?(?:document|text|file|data|context|structure)"
        r"|(?:what|which) (?:columns|fields|headings|sections) (?:are|exist)(?: there)?"
        rf"|(?:list|show|which are|what are) (?:me )?(?:all )?(?:the )?(?:columns|fields|headings|sections|column "
        rf"names)"
        rf"|(?:what|which) (?:columns|fields|headings|sections) {_DO} {DOCUMENT} have"
        rf"|how (?:long|big|large) is {DOCUMENT})",
        _describe,
    ),
]

_UNDERSTANDING = re.compile(
    r"\b(?:why|how come|explain|summari[sz]e|summary|compar(?:e|es|ed|ison)|differen(?:t|ce|ces)|similar\w*|"
    r"contrast|main (?:idea|point|theme)s?|themes?"
    r"|mean(?:s|ing)?|opinions?|attitudes?|think|believe|sentiment|tone|mood|classify|categor\w+|translate|rewrite|"
    r"paraphrase|infer|conclude|conclusions?"
    r"|argu(?:e|es|ment|ments)|evaluate|judge|discuss|analy[sz]e|critique|should|would|recommend|predict|"
    r"cause[sd]?|reasons?|relat\w+|implications?|"
    r"chang(?:e|ed|es)|evolv\w+|develop(?:ed|s)? over|write|draft|describe|outline|agree|disagree|contradict\w*|"
    r"consistent|true|false)\b",
    re.IGNORECASE,
)
_CALCULATION = re.compile(
    r"\b(?:how many|how much|how often|number of|count|percent\w*|share|ratio|proportion|average|mean|median|sum|"
    r"total|most|least|fewest|many|rank\w*|"
    r"(?:long|short|larg|small|high|low|bigg|old|young|earli|lat|great|new|near|fast|slow|strong|weak)est|best|"
    r"worst|first|last|second|third|maximum|minimum|more|less|fewer|than|"
    r"top|distinct|unique|different|each|every|per|all|only|never|always|except|besides|not|without|before|after|"
    r"between|other)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|those|these|that one|he|she|him|her|his|the same|the former|the latter)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|might)\b", re.IGNORECASE
)
_LOOKS_UP = re.compile(
    r"\b(?:who|whom|whose|what|when|where|which|how old|how long|how far|how tall|find|quote|show|list|look up|"
    r"search|passages?|give|name)\b",
    re.IGNORECASE,
)
_PASSAGES = re.compile(
    r"\b(?:sa(?:y|ys|id) (?:about|on|of)|passages|sentences (?:about|on|with)|quotations|mentions of|places)\b",
    re.IGNORECASE,
)
_WEAK_WITH_QUOTES = re.compile(
    r"\b(?:all(?: of)?(?: the)?|each|every|only|first|last|number|most|other|before|after|between|than|more)\b",
    re.IGNORECASE,
)


def _fall_back(clause: Clause, follows: bool) -> Ask:
    words, phrases, plain = tuple(key_words(clause)), clause.quoted(clause.plain), clause.plain
    without_quotes = re.sub(r"⟦\d+⟧", " ", plain)
    reason = ""
    counts = re.match(r"(?:how many|how often|count)\b", plain, re.IGNORECASE)
    if not phrases and (counts or follows or len(words) < 2) and _POINTS_BACK.search(plain):
        reason = (
            "It seems to point back to an earlier question. I read each question by itself: name what it is "
            "about, in quotes."
        )
    elif _UNDERSTANDING.search(without_quotes):
        reason = "It asks for understanding: I compare words, and do not grasp what they mean."
    elif _CALCULATION.search(without_quotes) and not _quoted_look_up(without_quotes, phrases):
        reason = (
            "It asks for a count, a comparison or a choice that I cannot take apart without guessing. I count what "
            "stands in quotes, "
            'for instance: How many lines contain the word "X"?'
        )
    elif _YES_NO.match(without_quotes):
        reason = "It asks for a judgement, yes or no: I compare words, and do not grasp what they mean."
    elif not words:
        reason = "I find no word in it that I could search the document for."
    elif not _LOOKS_UP.search(without_quotes) and not phrases:
        reason = "I do not see what it asks for. I look passages up, count and list what stands in quotes."
    if reason:
        return Beyond(clause.original, reason, words, phrases)
    many = bool(_PASSAGES.search(without_quotes))
    if many and phrases:
        words = tuple(key_words(replace(clause, original=" ".join(phrases)))) or words
    return Lookup(clause.original, words, (*phrases, *code_names(clause)), many)


def _quoted_look_up(without_quotes: str, phrases: tuple[str, ...]) -> bool:
    """Whether quoted words carry the question, so that words such as "all" or "number" only belong to its wording."""
    if not phrases or re.match(r"how (?:many|much|often)|count", without_quotes, re.IGNORECASE):
        return False
    rest = _WEAK_WITH_QUOTES.sub(" ", without_quotes)
    superlative = re.search(r"\b(?:most|more|first|last|than)\b", without_quotes, re.IGNORECASE)
    return not _CALCULATION.search(rest) and not superlative
