"""The tutor as a model, and its runs on texts, tables and collections."""

from __future__ import annotations

import re

import pytest

from rlm_kernel.contexts.document import Document
from rlm_kernel.contexts.load import load
from rlm_kernel.contexts.text import Text
from rlm_kernel.demo import DEMO_QUESTION, demo_document
from rlm_kernel.messages import Message, ModelRequest
from rlm_kernel.models.base import Model
from rlm_kernel.models.tutor import TutorModel
from tests.unit.tutoring import ask

TEXT = """# Voyage

The ship left Bergen on 3 May with a crew of nine.
It reached Reykjavik in a storm; the mast was lost.

# Return

The captain sold the ship in Reykjavik. A new ship, the Heron, was built by Olsen.
The Heron came home to Bergen in August.
"""
EURO = (
    "Artikel;Preis;Nr;Menge;Tag\nBrot;3,50;007;1,234;2012-01-01\nWein;9,99;7.0;2,500;2013-02-01\n"
    "Käse;12,25;7;1,000;2014-01-01\nTV;1.299,00;8;3,100;2013-01-01\n"
)
FEW = "k;n\na;5\nb;x\nc;-\nd;\ne;no\n"
PAID = "name,hours,pay\nKim,3,70\nAda,4,100\nBo,5,(80)\nAl,6,50\n"
CSV = "city,country,people\nOslo,Norway,700\nBergen,Norway,290\nMalmö,Sweden,350\nTurku,Finland,\n"
WEB_LOG = "".join(
    f'10.0.0.{n % 3} - - [0{1 + n // 5}/May/2024:10:00:0{n} +0000] "GET /{n % 2}.html HTTP/1.1" '
    f'{200 if n else 404} {n * 100} "-" "Browser"\n'
    for n in range(9)
)
MODEL_HINT = "`%rlm --model NAME`"


def root(question, *turns):
    messages = [Message("user", f"<question>\n{question}\n</question>")]
    for reply, output in turns:
        messages += [Message("assistant", reply), Message("user", f"<output>\n{output}\n</output>")]
    return ModelRequest("tutor", tuple(messages), purpose="root")


async def test_is_a_model_that_is_free_and_counts_its_tokens_as_estimates():
    tutor = TutorModel(pace=0)
    reply = await tutor.complete(root("How many lines are there?"))
    assert isinstance(tutor, Model)
    assert reply.usage.cost_usd == 0.0
    assert reply.usage.calls == 1
    assert reply.usage.estimated
    assert reply.usage.output_tokens == -(-len(reply.text) // 4)
    assert reply.finish == "stop"
    await tutor.close()


async def test_types_its_reply_in_pieces_and_stops_when_told():
    pieces: list[str] = []

    async def taking(piece):
        pieces.append(piece)
        return len(pieces) < 5

    tutor = TutorModel(pace=0.5)
    whole = await tutor.complete(root("How many lines are there?"))
    cut = await tutor.complete(root("How many lines are there?"), taking)
    assert len(pieces) == 5
    assert cut.finish == "cut"
    assert cut.text == "".join(pieces)
    assert whole.text.startswith(cut.text)


async def test_pace_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RLM_TUTOR_PACE", "0")
    assert TutorModel().pace == 0
    monkeypatch.setenv("RLM_TUTOR_PACE", "slow")
    assert TutorModel().pace > 0


async def test_the_same_messages_always_give_the_same_reply():
    request = root("Who built the Heron?", ("…", "type: text\nname: \nlength: 10"))
    replies = {(await TutorModel(pace=0).complete(request)).text for _ in range(3)}
    assert len(replies) == 1


async def test_reads_the_question_of_the_run_and_not_the_earlier_ones():
    opening = (
        "<earlier_question>\nWho?\n</earlier_question>\n<question>\nHow many lines are "
        "there?\n</question>\nhead: <question>\nno\n</question>"
    )
    look = Message("user", "<output>\ntype: text\nname: \n</output>")
    prepared = Message("user", "<output>\nlines: 3\n| a\n| b\n</output>")
    messages = (Message("user", opening), Message("assistant", "…"), look, Message("assistant", "…"), prepared)
    reply = await TutorModel(pace=0).complete(ModelRequest("tutor", messages, purpose="root"))
    assert "len(text.splitlines())" in reply.text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ('How many times does "ship" occur?', "“ship” occurs **3** times (case-sensitive, also inside words"),
        ('How many times does "HERON" occur, ignoring case?', "“HERON” occurs **2** times (ignoring case"),
        ('How many lines contain the word "Bergen" (case-sensitive, whole word)?', "**2** of 9 lines contain “Bergen”"),
        ('How many lines contain "ship" or "Heron"?', "**3** of 9 lines"),
        ('How many lines contain both "ship" and "Heron"?', "**1** of 9 lines"),
        ('How many lines do not contain "the"?', "lines do not contain “the”"),
        ('How many lines start with "#"?', "**2** of 9 lines begin with “#”"),
        ('How many paragraphs mention "Heron"?', "**1** of 4 paragraphs"),
        ("How many lines are there?", "**9** lines (`len(text.splitlines())`); 3 of them are empty"),
        ("How many empty lines are there?", "**3** of 9 lines are empty"),
        ("How many paragraphs are there?", "**4** paragraphs"),
        ('What is the first line that contains "Reykjavik"?', "“It reached Reykjavik in a storm; the mast was lost.”"),
        ('Where does "Bergen" last occur?', "“The Heron came home to Bergen in August.”"),
        ('List all lines that contain "Heron"', "- The Heron came home to Bergen in August. (characters"),
        ("What is the longest line?", "“The captain sold the ship in Reykjavik."),
        ("Which word occurs most often?", "“the” (6)"),
        ('How many times does "zebra" occur?', "**0** times"),
        ('How many lines contain "zebra"?', "**None** of the lines contain “zebra”"),
        ("Who built the Heron?", "A new ship, the Heron, was built by Olsen."),
        ("What is this document?", "9 lines"),
    ],
)
async def test_counts_lists_and_quotes_from_a_text(question, expected):
    run = await ask(question, TEXT)
    assert run.ready
    assert not run.failed
    assert expected in run.answer


@pytest.mark.parametrize("kind", [str, Document])
async def test_an_unsaid_way_of_comparing_is_stated_with_the_other_readings(kind):
    run = await ask('How many times does "he" occur?', kind(TEXT))
    number = TEXT.count("he")
    assert f"**{number}** times (case-sensitive, also inside words" in run.answer
    assert "Read otherwise: case-sensitive, whole word: 0" in run.answer


@pytest.mark.parametrize(
    ("context", "question", "expected"),
    [
        (CSV, "How many rows have country Norway?", "**2** of 4 rows have `country` = Norway"),
        (CSV, "How many rows where country is Norway and people is above 500?", "**1** of 4 rows"),
        (CSV, "How many rows have country "
              "norway?", "**0** of 4 rows have `country` = norway. Rows where it is part of the value, in any "
                         "case: 2."),
        (CSV, "How many rows are there?", "**4** rows; the header line is not counted"),
        (CSV, "How many columns are there?", "**3** columns: city, country, people"),
        (CSV, "What is the mean "
              "people?", "is **446.666667**, over 3 rows with a number; 1 rows without one are left out"),
        (CSV, "What is the sum of people where country is Norway?", "is **990**"),
        (CSV, "Which city has the highest people?", "city: **Oslo**"),
        (CSV, "Which country is most common?", "**Norway** (2)"),
        (CSV, "How many distinct countries are there?", "**3** different values"),
        (EURO, "What is the sum of Preis?", "is **1,324.74**, over 4 rows with a number. `Preis` has decimal commas."),
        (EURO, "Which Artikel has the highest Preis?", "in the row with Artikel: **TV**, Preis: **1.299,00**"),
        (EURO, "How many rows have Preis above 100?", "**1** of 4 rows have `Preis` > 100. `Preis` has decimal"),
        (EURO, "How many rows have Nr 7?", "**1** of 4 rows have `Nr` = 7. By the number that is written, in whatever "
               "way: 3 rows."),
        (EURO, "What is the mean Menge?", "I cannot answer this: the values of `Menge`, such as '1,234', '2,500'"),
        (EURO, "How many rows have Tag above 2013?", "I cannot answer this: the values of `Tag`, such as '2012-01-01'"),
        (EURO, "Which Artikel has the highest Tag?", "I cannot answer this: the values of `Tag`"),
        ('a,b,c\nx,"1,234",$5\ny,1 000,\nz,(20),$7\nw,100,$8\nv,50,$9\n', "What is the sum of b?",
         "is **1,384**, over 3 rows with a number; 2 rows without one are left out. The commas of `b` are read as "
         "thousands marks, as in '1,234'. 2 values of `b` are no plain numbers and are left out, as '1 000'."),
        ('a,b,c\nx,"1,234",$5\ny,1 000,\nz,(20),$7\nw,100,$8\nv,50,$9\n', "How many rows have b above 60?",
         "**2** of 5 rows have `b` > 60. The commas of `b` are read as thousands marks, as in '1,234'. 2 values of `b` "
         "are no plain numbers and are left out, as '1 000'."),
        ('a,b,c\nx,"1,234",$5\ny,1 000,\nz,(20),$7\nw,100,$8\nv,50,$9\n', "What is the highest c?", "I cannot answer"),
        (WEB_LOG, "How many requests returned status 404?", "**1** of 9 rows have `status` = 404"),
        (WEB_LOG, "How many requests used a method other than GET?", "**0** of 9 rows"),
        (WEB_LOG, "Which client IP made the most "
                  "requests?", "**10.0.0.0** (3), **10.0.0.1** (3), **10.0.0.2** (3) (3 values share the place)"),
        (WEB_LOG, "What is the total bytes?", "is **3,600**"),
        ('{"n": 1, "c": "red"}\n{"n": 4, "c": "red"}\n{"n": 2, "c": '
         '"tan"}\n', "How many rows have c red?", "**2** of 3 rows"),
        ('[\n  {"n": 1},\n  {"n": 4}\n]', "What is the largest n?", "is **4**"),
        ([{"n": 1}, {"n": 4}], "What is the mean n?", "is **2.5**"),
        ([{"n": 2**53 + 1}, {"n": 1}], "What is the largest n?", "is **9,007,199,254,740,993**"),
        ([{"n": 2**53 + 1}, {"n": 1}], "What is the sum of n?", "is **9,007,199,254,740,994**"),
        ([{"n": 2**53 + 1}, {"n": 1}], "How many rows have n above 9007199254740992?", "**1** of 2 rows"),
        ([{"n": 1e-7}, {"n": 3e-7}], "What is the mean n?", "is **2e-07**, over 2 rows"),
        ([{"n": "9" * 400}, {"n": 1.5}, {"n": 2}], "What is the sum of n?", "is **3.5**, over 2 rows with a number"),
        ([{"n": 1}, {"n": 4}], "How many items are there?", "**2** items"),
        (["a pin", "a nail and a pin"], "What is this?", "form: a list of 2 items, "),
        ({"x": "a pin"}, "What is this?", "form: a dict of 1 items, with the keys 'x', "),
        (["a pin", "a nail and a pin"], 'How many items contain "pin"?', "**2** of 2 items"),
        (["Kim has a hat.", "The key is with Ada."], "Where is the key?", "(item 1, characters 0–20)"),
        ({"a.txt": "Kim has a "
                   "hat.", "b.txt": "The key is with Ada."}, "Where is the key?", "(key 'b.txt', characters 0–20)"),
        ("From: kim@x\nTo: ada@y\nSubject: Lunch\nDate: today\n\nAt "
         "noon.\n", "How many rows have from kim@x?", "**1** of 1 rows"),
    ],
)  # fmt: skip
async def test_answers_from_tables_and_collections(context, question, expected):
    run = await ask(question, context)
    assert run.ready
    assert not run.failed
    assert expected in run.answer


@pytest.mark.parametrize(
    ("context", "question", "expected"),
    [
        (EURO, "How many rows have Preis above 1.000?", "`Preis` has decimal commas, so 1.000 may be read in two ways"),
        (
            EURO,
            'How many rows have Preis above "1,000"?',
            "`Preis` has decimal commas, so 1,000 may be read in two ways",
        ),
        (EURO, "What is the sum of Preis where Tag above 2013?", "the values of `Tag`, such as '2012-01-01'"),
        (EURO, "How many distinct Artikel where Tag above 2013?", "the values of `Tag`, such as '2012-01-01'"),
        (EURO, "Which Artikel is most common where Menge above 2?", "the values of `Menge`, such as '1,234'"),
        (FEW, "What is the sum of n?", "the values of `n`, such as '5', 'x', '-', are no plain numbers"),
        (FEW, "Which k has the highest n?", "the values of `n`, such as '5', 'x', '-', are no plain numbers"),
        (FEW, "What is the sum of n where k is b?", "the values of `n` where `k` = b, such as 'x', are no plain"),
        (FEW, "What is the mean n where k is d?", "no row where `k` = d has a value of `n`"),
    ],
)
async def test_numbers_that_cannot_be_read_for_certain_are_declined_and_nothing_else_is_said(
    context, question, expected
):
    run = await ask(question, context)
    assert run.ready
    assert not run.failed
    assert run.answer.startswith("I cannot answer this: ")
    assert expected in run.answer
    assert "**" not in run.answer


@pytest.mark.parametrize(
    ("context", "question", "expected"),
    [
        (EURO, "How many rows have Preis 3.50?", "**0** of 4 rows have `Preis` = 3.50. `Preis` has decimal commas."),
        (EURO, "What is the sum of Preis where Nr is 7?", "is **12.25**, over 1 rows with a number. `Preis` has "
               "decimal commas. By the number that is written, in whatever way: 3 rows."),
        (EURO, "Which Artikel is most common where Preis above 5000?", "No row where `Preis` > 5000 has a value of "
               "`Artikel`. `Preis` has decimal commas."),
        ("a\tb\nx\t1,234\ny\t2,500\n", "What is the sum of b?", "is **3,734**, over 2 rows with a number. The commas "
         "of `b` are read as thousands marks, as in '1,234'."),
        (PAID, "What is the sum of hours where pay above 60?", "is **7**, over 2 rows with a number. 1 values of `pay` "
               "are no plain numbers and are left out, as '(80)'."),
        (PAID, "How many distinct hours where pay above 60?", "in 2 rows where `pay` > 60. 1 values of `pay` are no"),
        (PAID, "What is the sum of pay where pay above 60?", "is **170**, over 2 rows with a number. 1 values of"),
        (Document("a,b\ngold,2\n", path="one.csv"), "How many rows are there?", "**1** rows"),
        (Document("a,b\ngold,2\n", path="one.csv"), "What is the largest b?", "is **2**, over 1 rows"),
    ],
)  # fmt: skip
async def test_how_numbers_and_conditions_were_read_is_said_with_the_answer(context, question, expected):
    run = await ask(question, context)
    assert run.ready
    assert not run.failed
    assert expected in run.answer
    assert "cannot answer" not in run.answer
    assert "could not" not in run.answer


async def test_two_lines_with_a_comma_each_are_a_table_only_in_a_file_of_that_kind():
    run = await ask("How many rows are there?", "Dear Ann, hello\nYours, Kim\n")
    assert "is a question I do not answer" in run.answer


@pytest.mark.parametrize(
    "question",
    [
        "Why did the captain sell the ship?",
        "Summarise the voyage.",
        "How many ships are there?",
        'How many times does "ship" occur per section?',
        'How many lines contain "ship" but not "Heron"?',
        'Which section mentions "ship" most often?',
        "How many distinct places are named?",
        "Was the voyage a success?",
        "and how many lines contain it?",
        "How many chapters are there?",
        "Compare the two parts.",
        "Hello",
    ],
)
async def test_says_when_a_question_is_beyond_it_and_how_to_set_a_model(question):
    run = await ask(question, TEXT)
    assert run.ready
    assert not run.failed
    assert "is a question I do not answer" in run.answer
    assert MODEL_HINT in run.answer
    assert "OPENAI_API_KEY" in run.answer
    assert not re.search(r"\*\*[\d,]+\*\*", run.answer)


@pytest.mark.parametrize(
    "question",
    [
        "How many rows have country Norway or Sweden?",
        "How many rows have people between 300 and 800?",
        "How many rows have people equal to city?",
        "How many rows have no people?",
        "What is the mean people per country?",
        "Which country has the most people?",
        "How many cities have people above 300?",
    ],
)
async def test_a_question_about_columns_that_is_not_understood_to_the_last_word_is_not_answered(question):
    run = await ask(question, CSV)
    assert "is a question I do not answer" in run.answer
    assert "`city`, `country`, `people`" in run.answer


async def test_passages_that_match_equally_are_only_pointers():
    filler = "Nothing of note happened on the way, and the days were long.\n" * 20
    run = await ask(
        "In which town did Ann Lee paint?", f"Ann Lee saw Rome.\n{filler}Ann Lee saw Bonn.\n{filler}We paint.\n"
    )
    assert "I cannot tell which of them answers it" in run.answer
    assert "as pointers and not as an answer" in run.answer
    assert MODEL_HINT in run.answer


async def test_a_look_up_asks_sub_models_and_checks_their_quotations():
    run = await ask("Who built the Heron?", TEXT)
    assert run.prompts
    assert all("<passage>" in prompt for prompt in run.prompts)
    quote, start, end = re.search(r"says: “([^”]+)” \(characters (\d+)–(\d+),", run.answer).groups()
    assert TEXT[int(start) : int(end)] == quote


async def test_an_answer_comes_after_it_was_printed_and_checked():
    run = await ask('How many times does "ship" occur?', TEXT)
    assert 'answer["ready"]' not in "".join(run.replies[:-1])
    assert run.answer in run.outputs[-2]
    assert "agrees: True" in run.outputs[-2]


@pytest.mark.parametrize("spoil", ["context.at(", "finditer", "llm_query_batched", "csv.DictReader", "quotes.sort"])
@pytest.mark.parametrize(
    "question", ['How many times does "ship" occur?', "Who built the Heron?", "How many rows have a b?"]
)
async def test_a_cell_that_fails_never_makes_it_loop_or_guess(spoil, question):
    run = await ask(question, CSV if "rows" in question else TEXT, spoil=spoil)
    assert run.ready
    assert len(run.replies) <= 12
    if run.failed and "context.at(" not in spoil:
        assert "could not work this out" in run.answer or "do not answer" in run.answer or "no passage" in run.answer


@pytest.mark.parametrize("context", [5, None, "", [], {}, b"bytes"])
async def test_odd_values_end_in_an_answer(context):
    run = await ask('How many times does "x" occur?', context)
    assert run.ready


@pytest.mark.parametrize("term", ["}{", "a`b", "\\", "{0}", "'''", "$name", "%s", "```python"])
async def test_what_is_quoted_is_only_ever_data(term):
    text = f"one {term} two\nthree\n"
    run = await ask(f'How many lines contain "{term}"?', text)
    assert not run.failed
    assert "**1** of 2 lines" in run.answer
    assert all(reply.count("\n```") == 2 for reply in run.replies)


async def test_two_questions_in_one_are_answered_apart():
    run = await ask('How many lines contain "Bergen"? How many times does "Heron" occur?', TEXT)
    assert "**2** of 9 lines contain “Bergen”" in run.answer
    assert "“Heron” occurs **2** times" in run.answer


async def test_the_demo_question_is_answered_with_sub_calls_and_quotations():
    text = demo_document().read_text(encoding="utf-8")
    run = await ask(DEMO_QUESTION, Document(text, path="state_of_the_union.txt"))
    lines = sum(1 for line in text.splitlines() if re.search(r"\bPanama\b", line))
    assert len(text) > 1_000_000
    assert not run.failed
    assert len(run.prompts) >= 3
    assert f"**{lines}** of" in run.answer
    found = re.findall(r"“([^”]+)” \(characters ([\d,]+)–([\d,]+), state_of_the_union.txt, line [\d,]+\)", run.answer)
    assert len(found) >= 3
    for quote, start, end in found:
        assert text[int(start.replace(",", "")) : int(end.replace(",", ""))] == quote


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many lines are there?", "**4** lines"),
        ("How many characters are there?", "**26** characters"),
        ("How many paragraphs are there?", "**2** paragraphs"),
        ("How many files are there?", "**2** files"),
        ('How many lines contain "a"?', "**2** of 4 lines"),
        ('How many files contain "1,2"?', "**1** of 2 files"),
        ('Where does "four" first occur?', "“four one” (characters 48–52, b.txt, line 2)"),
        ('What does it say about "three"?', "(characters 42–56, b.txt, line 1)"),
    ],
)
async def test_counts_in_the_files_and_not_in_the_lines_that_part_them(tmp_path, question, answer):
    (tmp_path / "a.csv").write_text("ann\nada,1,2\n")
    (tmp_path / "b.txt").write_text("three\nfour one")
    run = await ask(question, load(tmp_path))
    assert not run.failed
    assert answer in run.answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many lines are there?", "**40,001** lines; 1 of them are empty, 40,000 are not."),
        ("How many characters are there?", "**20,280,001** characters"),
        (
            'How many times does "Köln am Rhein" occur?',
            "occurs **39,999** times (case-sensitive, also inside words). Whole words only, or any case, would give",
        ),
        (
            'How many times does the word "rhein" occur, ignoring case?',
            "occurs **40,000** times (ignoring case, whole word).",
        ),
        ('How many lines contain "0\'7"?', "**4,000** of 40,001 lines contain “0'7”"),
        ('How many lines do not contain "Köln"?', "**1** of 40,001 lines do not contain “Köln”"),
        ('List the lines that contain "Köln".', "so large that it stays on disk"),
        ('What does it say about "Köln"?', "context.search_ranked"),
    ],
)
async def test_counts_in_a_text_that_stays_on_disk_and_says_what_it_cannot_do_there(tmp_path, question, answer):
    # Larger than a piece, with a quoted text across each line end, so across each seam too.
    line = "Rhein {}'7 " + "x" * 488 + " Köln am\n"
    path = tmp_path / "big.txt"
    path.write_text("".join(line.format(number % 10) for number in range(40_000)) + "\n", encoding="utf-8")
    run = await ask(question, Text(path))
    assert not run.failed
    assert run.ready
    assert answer in run.answer


async def test_a_line_on_disk_that_is_longer_than_a_piece_is_not_counted_in(tmp_path):
    (tmp_path / "one.txt").write_text("ship " * 4_000_000)
    run = await ask('How many times does "ship" occur?', Text(tmp_path / "one.txt"))
    assert run.ready
    assert "could not work this out" in run.answer
    assert "a line is too long for me" in run.answer


async def test_a_text_without_lines_is_cut_between_sentences_and_its_places_are_told():
    told = "The harbour was calm and the nine men slept on board until it was day again. "
    text = told * 30 + "Then Olsen sold the Heron in Bergen. " + told * 30 + "No Olsen came. " + told * 300
    run = await ask('What does it say about "Olsen"?', text)
    assert not run.failed
    assert re.findall("“([^”]*)”", run.answer) == ["Then Olsen sold the Heron in Bergen.", "No Olsen came."]
    passages = [re.search("<passage>\n(.*)\n</passage>", prompt, re.DOTALL)[1] for prompt in run.prompts]
    assert all(passage.rstrip().endswith(".") and passage[0].isupper() for passage in passages)

    at = text.index("Olsen")
    run = await ask('List the lines that contain "Olsen".', text)
    assert f"(characters {at:,}–{at + 5:,}, line 1, the first of 2 places in it)" in run.answer
    run = await ask('How many lines contain "Olsen"?', text)
    assert "**1** of 1 lines contain “Olsen”" in run.answer
    assert "There is only this one, and it has 2 such places." in run.answer


async def test_a_text_without_any_breaks_is_cut_between_words():
    run = await ask('What does it say about "Zanzibar"?', "alpha beta gamma " * 1_000 + "Zanzibar " + "delta " * 1_000)
    assert not run.failed
    assert "The passage that matches best:" in run.answer
    assert "among 1 passage with any of them" in run.answer
    assert all(re.search("<passage>\n(?:alpha|beta|gamma|delta|Zanzibar)\\b", prompt) for prompt in run.prompts)
