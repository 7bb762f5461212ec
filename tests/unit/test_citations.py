"""Quotations and references of an answer, looked up in what it was asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

import pytest

from rlm_kernel.contexts.citations import look_up
from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.passages import passage
from rlm_kernel.contexts.text import Text

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    "# Terms\nThe tenant pays the rent on the first day of each month — without exception.\n",
    "## Late fees\nA late fee of eleven shillings is due\nafter the seventh day, and “not before” that day.\n",
    "## Repairs\nThe landlord repairs the roof, the windows and the chimney within three weeks of being told.\n",
]
LEASE = Document(
    "\n\n".join(PAGES),
    "lease.pdf",
    "PDF",
    page_starts=(0, len(PAGES[0]) + 2, len(PAGES[0]) + len(PAGES[1]) + 4),
    sections=(
        (0, 1, "Terms"),
        (len(PAGES[0]) + 2, 2, "2. Late fees"),
        (len(PAGES[0]) + len(PAGES[1]) + 4, 2, "3. Repairs"),
    ),
)


def one(answer: str, context: object = LEASE) -> dict[str, object]:
    found = look_up(answer, context)
    assert len(found) == 1, found
    return dict(found[0])


@pytest.mark.parametrize(
    "answer",
    [
        "It says “A late fee of eleven shillings is due after the seventh day”.",
        'It says "A late fee of eleven shillings is due\nafter".'.replace("\n", " "),
        "> A late fee of eleven shillings is due\n> after the seventh day",
        "It says „late fee of eleven shillings … the seventh day“ somewhere.",
        "It says «late fee of eleven shillings».",
        "Late in the term “a late fee of eleven shillings is due” after all.",
        "It says “and 'not before' that day”.".replace("'", '"'),
        "“pays the rent on the first day of each month - without exception.”",
    ],
)
def test_what_stands_there_is_found_whatever_its_spaces_and_marks(answer: str) -> None:
    citation = one(answer)

    assert citation["status"] == "found"
    start, end = citation["place"]  # type: ignore[misc]
    assert LEASE[start:end] == citation["passage"]
    assert str(citation["where"]).startswith("lease.pdf, p. ")
    assert answer[citation["start"] : citation["end"]].strip('> “”„«»"').startswith(str(citation["text"])[:10])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("quoted", "difference"),
    [
        ("a late fee of twelve shillings is due after the seventh day", "“twelve” stands as “eleven”"),
        ("The landlord repairs the roof, the windows and the old chimney within three weeks", "“old” is not there"),
        ("The landlord repairs the roof, the windows and chimney within three weeks", "“the” is left out"),
    ],
)
def test_what_stands_there_in_other_words_is_shown_with_the_difference(quoted: str, difference: str) -> None:
    citation = one(f"It says “{quoted}”.")

    assert citation["status"] == "differs"
    assert difference in str(citation["difference"])
    assert citation["passage"]


@pytest.mark.parametrize(
    "quoted", ["The moon is made of green cheese and of nothing else", "fee rent roof month weeks day"]
)
def test_what_does_not_stand_there_is_not_found(quoted: str) -> None:
    citation = one(f"“{quoted}”")

    assert (citation["status"], citation["place"]) == ("not found", [])


@pytest.mark.parametrize(
    ("reference", "status", "begins"),
    [
        ("[p. 2]", "found", "## Late"),
        ("(p. 3)", "found", "## Repairs"),
        ("[pp. 1-2]", "found", "# Terms"),
        ("[lease.pdf, p. 2]", "found", "## Late"),
        ("[p. 4]", "not found", ""),
        ("[other.pdf, p. 1]", "not found", ""),
        ("[lease.pdf:2]", "found", "The tenant"),
        ("[lines 1-2]", "found", "# Terms"),
        ("[lease.pdf:999]", "not found", ""),
        ("[§ 2]", "found", "## Late"),
        ("[§ Repairs]", "found", "## Repairs"),
        ("[§ 9.9]", "not found", ""),
    ],
)
def test_references_lead_to_their_place(reference: str, status: str, begins: str) -> None:
    citation = one(f"So it is {reference}.")

    assert (citation["status"], citation["text"]) == (status, reference)
    assert str(citation["passage"]).startswith(begins)


def test_what_is_no_citation_is_left_alone() -> None:
    answer = (
        'He said "no" and “well then”. In `print("one two three four")` and\n```python\nx = \'a b c d e f\'\n'
        'y = "some words in a string"\n```\nGenesis [Gen1:1] at 12:30 (see: 4).'
    )

    assert look_up(answer, LEASE) == []


def test_there_is_nothing_to_look_up_in_a_number() -> None:
    assert look_up("“one two three four five”", 12) == []


def test_of_several_documents_the_right_one_is_named() -> None:
    context = {"a.txt": "Nothing of interest stands here at all.", "lease.pdf": LEASE}
    citation = one("“The landlord repairs the roof, the windows”", context)

    assert (citation["status"], citation["source"]) == ("found", "lease.pdf")
    assert one("[a.txt:1]", context)["where"] == "a.txt, line 1"
    assert one("[p. 1]", context)["difference"] == "Which of the documents is not said."


def test_a_text_on_disk_is_looked_up_too(tmp_path: Path) -> None:
    lines = [f"Line {number} tells of naïve ships and of nothing else whatever.\n" for number in range(1, 5_000)]
    lines[3_000] = "The Übersee captain sold eleven barrels of tar to the mayor.\n"
    path = tmp_path / "big.txt"
    path.write_text("".join(lines), encoding="utf-8")
    text, plain = Text(path), "".join(lines)

    found = one("“The Übersee  captain sold eleven barrels”", text)
    differs = one("“The Übersee captain sold twelve barrels of tar to the mayor”", text)
    line = one("[big.txt:3,001]", text)
    start, end = found["place"]  # type: ignore[misc]
    assert (found["status"], plain[start:end], found["where"]) == ("found", lines[3_000][:39], "big.txt, line 3,001")
    assert (differs["status"], differs["difference"]) == ("differs", "“twelve” stands as “eleven”")
    assert line["passage"] == lines[3_000].rstrip("\n")


@pytest.mark.parametrize("place", ["A late fee", "The tenant"])
def test_a_place_as_the_document_gives_it_is_looked_up(place: str) -> None:
    start = LEASE.index(place) if place in LEASE else 0
    text = LEASE.at(start)
    for said in (f"({text})", f"[{text}]", f"(characters {start:,}–{start + 10:,}, {text})"):
        assert one(said, LEASE)["status"] == "found", said


def test_lines_are_found_behind_characters() -> None:
    lines = Document("one\ntwo\nthree\n", "a.txt")
    cited = one("(characters 4–7, a.txt, line 2)", lines)
    assert (cited["status"], cited["passage"]) == ("found", "two")


def test_words_that_stand_in_few_places_tell_the_passage() -> None:
    text = "".join(f"The ship number {n * 7919 % 1000} brought tar and {n} barrels of rye.\n" for n in range(600))
    cited = one("“The ship number 757 brought gold and 3 barrels of rye”", text)
    assert (cited["status"], cited["difference"]) == ("differs", "“gold” stands as “tar”")


def test_a_passage_comes_with_what_stands_around_it() -> None:
    start = LEASE.index("A late fee")
    shown = passage(LEASE, start, start + 10)

    assert shown is not None
    assert (shown["passage"], shown["where"]) == ("A late fee", "lease.pdf, p. 2, § 2. Late fees")
    assert shown["before"].endswith("## Late fees\n")
    assert shown["after"].startswith(" of eleven")
    assert passage(LEASE, 10, 10**9) is None
    wide = passage(LEASE, start, start + 10, around=10**9)
    assert wide is not None
    assert wide["before"] + wide["passage"] + wide["after"] == LEASE
    long = passage("x" * 50_000, 10, 40_000)
    assert long is not None
    assert (len(long["passage"]), long["left_out"], len(long["after"])) == (20_000, 19_990, 400)


def test_many_quotations_in_a_large_text_are_quick_enough_to_wait_for() -> None:
    text = Document(
        "\n".join(f"Verse {n}: and it came to pass in those days, number {n}." for n in range(60_000)), "b.txt"
    )
    answer = "\n".join(f"“and it came to pass in these days, number {n}”" for n in range(0, 60_000, 3_000))

    assert {each["status"] for each in look_up(answer, text)} == {"differs"}


def test_characters_are_the_most_exact_reference() -> None:
    said = "(characters 2–6, lease.pdf, p. 1, § Terms (old))"
    citation = one(said)
    assert (citation["kind"], citation["status"], citation["text"]) == ("page", "found", said)
    assert (citation["place"], citation["passage"]) == ([2, 6], "Term")
    beyond = one("(characters 2–6,000, lease.pdf, § Terms)")
    assert (beyond["status"], beyond["difference"]) == ("not found", f"The document has {len(LEASE):,} characters.")


def test_a_section_may_have_brackets_in_its_title() -> None:
    text = Document("# One (old)\nwords\n", "a.md", "Markdown", sections=((0, 1, "One (old)"),))
    citation = one("It is so [a.md, § One (old)].", text)
    assert (citation["kind"], citation["status"]) == ("section", "found")
    assert one("It is so [line 2, § One (old)].", text)["kind"] == "line"


NOTES = Document(
    "Preamble of the lease between Anna and Bob.\n"
    "The rent is due on the first day of each month, in advance.\n"
    'The tenant shall keep "the garden" in good order, always.\n'
    "Payment of eleven hundred dollars is due in June 2023.\n"
    "日本語の文章がここにあります。とても長い文です。\n",
    "notes.txt",
)
RENT = "The rent is due on the first day of each month"


def marks(answer: str, context: object = NOTES) -> list[tuple[str, str, str]]:
    """Give kind, what became of it and what the mark stands behind of each citation."""
    return [(each["kind"], each["status"], answer[each["start"] : each["end"]]) for each in look_up(answer, context)]


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        (f"> {RENT}, in advance. [line 2]", "[line 2]"),
        (f"> “{RENT}, in advance.” (notes.txt, line 2)", "(notes.txt, line 2)"),
        (f'> "{RENT}" [line 2]', "[line 2]"),
        ('> "Payment of eleven hundred dollars" [line 4].', "[line 4]"),
        (
            "> The rent is due on the first day\n> of each month, in advance.\n> — notes.txt, line 2",
            "notes.txt, line 2",
        ),
        (f"> “{RENT}” — line 2", "line 2"),
        (f"> {RENT}\n>\n> [line 2]\n", "[line 2]"),
    ],
)
def test_a_place_in_a_block_quote_is_looked_up_by_itself(answer: str, place: str) -> None:
    (kind, status, quoted), reference = marks(answer)

    assert (kind, status, reference) == ("quotation", "found", ("line", "found", place))
    assert quoted.startswith("> ")
    assert place not in quoted


def test_the_passages_of_a_block_quote_are_looked_up_one_by_one() -> None:
    answer = f"> {RENT}, in advance.\n>\n> Payment of twelve hundred dollars is due.\n"
    two = f"> “{RENT}” [line 2]; “Payment of eleven hundred dollars” [line 9]"

    assert [status for _, status, _ in marks(answer)] == ["found", "differs"]
    mixed = f"> “{RENT}” [§ 9], “Payment of eleven hundred dollars” [line 4] and “The tenant shall keep” [p. 7]"

    assert [status for _, status, _ in marks(two)] == ["found", "found", "found", "not found"]
    assert [kind for kind, _, _ in marks(mixed)] == ["quotation", "section", "quotation", "line", "quotation", "page"]
    assert [status for _, status, _ in marks(mixed)][:4] == ["found", "not found", "found", "found"]


def test_a_place_that_the_document_names_itself_is_its_own_words() -> None:
    text = Document("one\nIt is settled elsewhere (line 40) what is due.\n", "a.txt")

    assert marks("> It is settled elsewhere (line 40) what is due.", text)[0][:2] == ("quotation", "found")
    assert len(marks("> It is settled elsewhere (line 40) what is due.", text)) == 1


@pytest.mark.parametrize(
    ("quoted", "difference", "passage"),
    [
        (
            "Payment of twelve hundred dollars is due in June 2023.",
            "“twelve” stands as “eleven”",
            "Payment of eleven hundred dollars is due in June 2023.",
        ),
        (
            "payment of twelve hundred dollars is due in June 2023;",
            "“twelve” stands as “eleven”",
            "Payment of eleven hundred dollars is due in June 2023.",
        ),
        (
            "Preamble of the lease between Bob and Anna.",
            "“Bob” stands as “Anna”; “Anna.” stands as “Bob.”",
            "Preamble of the lease between Anna and Bob.",
        ),
        ("日本語の文章がそこにあります。", "“そ” stands as “こ”", "日本語の文章がここにあります。"),
    ],
)
def test_a_difference_is_told_of_the_passage_and_no_more(quoted: str, difference: str, passage: str) -> None:
    citation = one(f"“{quoted}”", NOTES)

    assert (citation["status"], citation["difference"], citation["passage"]) == ("differs", difference, passage)


@pytest.mark.parametrize(
    "answer",
    [
        "\"The tenant shall keep 'the garden' in good order\"",
        '"**The rent** is due on *the first day*"',
        '"The _rent_ is due on the ***first* day**"',
        '"the `rent` is due on the first day"',
        '"[T]he rent is due on the first day"',
        f"»{RENT}«",
        f"‹{RENT}›",
        f"›{RENT}‹",
        f"”{RENT}”",
        "「日本語の文章がここにあります」",
        "『日本語の文章がここにあります。』",
        "“とても長い文です”",
    ],
)
def test_marks_of_any_form_and_emphasis_do_not_count(answer: str) -> None:
    assert marks(answer) == [("quotation", "found", answer)]


def test_marks_and_scripts_do_not_count_in_a_text_on_disk_either(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(NOTES, encoding="utf-8")
    text = Text(path)

    assert one('"the tenant shall keep ‘the garden’ in good order"', text)["status"] == "found"
    assert one("「日本語の文章が\nここにあります」", text)["status"] == "found"
    assert one("「日本語の文章がそこにあります」", text)["difference"] == "“そ” stands as “こ”"


@pytest.mark.parametrize(
    "answer",
    [
        "The landlord’s keys aren’t the tenants’ keys, don’t you think? It isn’t 5” wide but 6” or more.",
        "“no” and then he said “yes” and „well” and so on it went”",
        "`x « y` and 3 » 2 and 「短い」",
    ],
)
def test_marks_that_quote_nothing_are_left_alone(answer: str) -> None:
    assert marks(answer) == []


def test_a_place_behind_words_that_stand_elsewhere_differs() -> None:
    wrong = look_up(f"So “{RENT}” [line 3].", NOTES)

    assert [each["status"] for each in wrong] == ["found", "differs"]
    assert wrong[1]["difference"] == "The words before it stand in notes.txt, line 2."
    assert [status for _, status, _ in marks(f"“{RENT}” [line 2] and (lines 1-4), “{RENT}” [line 3] [line 2]")] == [
        "found"
    ] * 6
    assert [status for _, status, _ in marks(f"“{RENT}”, and more [line 3].")] == ["found", "found"]


def test_a_quotation_that_stands_in_several_places_is_the_one_named() -> None:
    text = Document("So it was and so it is.\nNothing.\nSo it was and\nso it is.\n", "a.txt")
    for answer in ("“so **it** was and” [line 3]", "“So it was and so it is.” (line 4)"):
        quotation, place = look_up(answer, text)
        assert (quotation["status"], place["status"], quotation["where"]) == ("found", "found", "a.txt, line 3")


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        ("(page 2)", "found"),
        ("(Pages 2–3)", "found"),
        ("[lease.pdf, page 9]", "not found"),
        ("[p. 1, 3]", "found"),
        ("[pp. 1-2,3]", "found"),
        ("[p. 1, 4]", "not found"),
        ("[lines 1, 3]", "found"),
    ],
)
def test_pages_in_words_and_several_places_at_once(reference: str, status: str) -> None:
    assert (one(reference)["status"], one(reference)["text"]) == (status, reference)


SUMS = (
    "In year one it was 11,500 dollars.\nAnna is unable to work on Monday.\nHe was dishonest in all his dealings.\n"
    "Pay within 30 days, at most 1000 dollars. The rate is 1.55 percent; I can't pay it at all."
)


@pytest.mark.parametrize(
    ("quoted", "difference"),
    [
        ("able to work on Monday", "“able” stands as “unable”"),
        ("Honest in all his dealings", "“Honest” stands as “dishonest”"),
        ("30 days, at most 100", "“100” stands as “1000”"),
        ("500 dollars. Anna is", "“500” stands as “11,500”"),
        ("1,500 dollars. Anna is unable", "“1,500” stands as “11,500”"),
        ("The rate is 1.", "“1.” stands as “1.55”"),
        ("I can pay it at all", "“can” stands as “can't”"),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_part_of_a_word_or_number_is_another_one(quoted: str, difference: str, on_disk: bool, tmp_path: Path) -> None:
    path = tmp_path / "sums.txt"
    path.write_text(SUMS)
    found = one(f"“{quoted}”", Text(path) if on_disk else SUMS)
    assert (found["status"], found["difference"]) == ("differs", difference)
    assert {each["status"] for each in look_up("“" + SUMS.replace("\n", "” “") + "”", SUMS)} == {"found"}


def test_what_dots_leave_out_is_near() -> None:
    text = "It came to pass early. " + "Far away. " * 900 + "It came to pass when Isaac was old. And Jesus wept there."
    found = one("“It came to pass … Isaac was old”", text)
    assert (found["status"], found["place"]) == ("found", [text.rindex("It came"), text.index(". And Jesus")])
    found = one("“pass early … Jesus wept there”", text)
    assert (found["status"], found["place"]) == ("differs", [text.index("pass early"), text.index(". Far")])
    assert found["difference"] == "What … leaves out is more than 5,000 characters."
    assert one("“Isaac was old.... Jesus wept”", text)["status"] == "found"


def test_dots_that_lead_to_a_page_number_leave_nothing_out() -> None:
    text = "5.11 Purpose ........ 36\n5.12 Options ........ 12\n"
    assert one("“5.11 Purpose ........ 36”", text)["status"] == "found"
    assert one("“5.11 Purpose ........ 12”", text)["status"] == "differs"


@pytest.mark.parametrize(
    ("reference", "begins"),
    [
        ("§ 2", "2 Duties"),
        ("§ 1", "1 Scope"),
        ("§ 1.2", "1.2 Costs"),
        ("§ costs", "1.2 Costs"),
        ("§ 0", ""),
        ("§ 3", ""),
    ],
)
def test_a_number_of_a_section_is_the_whole_number(reference: str, begins: str) -> None:
    titles = ["1 Scope", "1.2 Costs", "2 Duties", "2.3. Care", "10 Ends"]
    text = "\n".join(f"{title}\nWords.\n" for title in titles)
    sections = tuple((text.index(title), 1 + title[1:].count("."), title) for title in titles)
    found = one(f"It says so [{reference}].", Document(text, sections=sections))
    assert found["status"] == ("found" if begins else "not found")
    assert not begins or text[found["place"][0] :].startswith(begins)  # type: ignore[index]


def test_forms_of_letters_and_emphasis_of_the_document_do_not_count() -> None:
    apart = normalize("NFD", "Oui. Le café était très fermé hier.")
    assert one(normalize("NFC", "“Le café était très fermé”"), apart)["status"] == "found"
    assert one("“This is very important to all”", "Now: This is **very important** to all of us.")["status"] == "found"


def test_an_absurd_number_and_verses_harm_no_other_citation() -> None:
    answer = f"“The tenant pays the rent” [p. {'9' * 5000}] (see Gen. 1:3) (1 Sam. 17:4)"
    assert [(each["kind"], each["status"]) for each in look_up(answer, LEASE)] == [
        ("quotation", "found"), ("page", "not found"),
    ]  # fmt: skip


def test_a_short_word_between_marks_does_not_shift_the_others() -> None:
    found = one('"No!" cried the man to them all, "(repairs the roof, the windows)"', LEASE)
    assert found["text"] == "(repairs the roof, the windows)"
