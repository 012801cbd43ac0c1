"""Names and rooms: any script, any punctuation, ordinary words, and what is said about unknown ones."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.contract.dialogue import Intent
from runtime.contract.errors import PvchatError, RefusedError, UsageError
from runtime.contract.household import Household, Subject
from runtime.questions import parse
from runtime.questions.vocabulary import GRAMMAR

ROOMS = ("kitchen", "Living Room", "tom's den")
PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20) | st.text(
    string.ascii_letters + " '.-", min_size=1, max_size=20
)
NAMES = PRINTABLE.filter(lambda name: bool(name.strip()))


def home(*names: str | tuple[str, ...]) -> Household:
    people = [(name,) if isinstance(name, str) else name for name in names]
    return Household(
        "h1",
        tuple(
            Subject(f"s{i:032x}", name, aliases)
            for i, (name, *more) in enumerate(people)
            for aliases in [tuple(more)]
        ),
    )


def ids(*indices: int) -> tuple[str, ...]:
    return tuple(f"s{index:032x}" for index in indices)


@settings(max_examples=300, deadline=None)
@given(NAMES)
@example("here")
@example("is")
@example("Is is")
@example("who")
@example("kitchen")
@example("not or when")
@example("?")
@example("'s")
@example("Mary  Ann")
@example("İpek")
@example("ﬁnn")
@example("¨")
def test_anybody_with_a_printable_name_is_found(name: str) -> None:
    assert parse(f"Is {name} here?", home(name), ROOMS) == Intent("existence", ids(0), None)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=600), st.lists(NAMES, max_size=4))
def test_no_text_brings_anything_but_an_intent_or_a_public_error(text: str, names: list[str]) -> None:
    try:
        assert parse(text, home(*names), ROOMS).kind
    except PvchatError as error:
        assert error.message


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(sorted(GRAMMAR | {"will", "may", "tom", "kitchen", "bob", "10:30", ","})), max_size=12
    )
)
def test_no_order_of_known_words_brings_anything_but_an_intent_or_a_public_error(words: list[str]) -> None:
    household = home("Will", "May", "Tom", "Here", "Who")
    try:
        intent = parse(" ".join(words), household, ROOMS)
    except PvchatError as error:
        assert error.message
        return
    assert set(intent.subject_ids) <= {subject.subject_id for subject in household.subjects}
    assert (intent.kind in ("who", "stranger")) == (not intent.subject_ids)


@pytest.mark.parametrize(
    ("question", "who"),
    [
        ("Is May in the kitchen?", (1,)),
        ("is may in the kitchen", (1,)),
        ("Is Will here?", (0,)),
        ("Where is Will?", (0,)),
        ("What is Will doing?", (0,)),
        ("Can you see May?", (1,)),
        ("Are Will and May here?", (0, 1)),
        ("is tom here with will", (2, 0)),
        ("May I ask if Tom is here?", (2,)),
        ("Is Tom's den where May is?", None),
    ],
)
def test_names_that_are_ordinary_words_are_names_only_where_a_name_is_wanted(
    question: str, who: tuple[int, ...] | None
) -> None:
    household = home("Will", "May", "Tom")
    if who is None:
        assert parse(question, household, ROOMS).room == "tom's den"
    else:
        assert parse(question, household, ROOMS).subject_ids == ids(*who)


def test_a_question_about_the_future_stays_one_though_somebody_is_called_will() -> None:
    with pytest.raises(RefusedError, match="history is not kept"):
        parse("Will Tom be here?", home("Will", "Tom"), ROOMS)


def test_the_longest_name_wins() -> None:
    household = home("Ann", "Mary", "Mary Ann", "Mary Ann Lee")
    assert parse("Is Mary Ann here?", household, ROOMS).subject_ids == ids(2)
    assert parse("Are Mary Ann Lee, Ann and Mary here?", household, ROOMS).subject_ids == ids(3, 0, 1)


def test_a_name_inside_a_longer_word_is_not_that_name() -> None:
    with pytest.raises(UsageError, match="Tomas"):
        parse("Is Tomas here?", home("Tom"), ROOMS)


@pytest.mark.parametrize(
    "question",
    [
        "Is grandma’s outfit red?",
        "what is GRANDMA'S outfit",
        "Describe 'Grandma'.",
        "What is “grandma” wearing",
    ],
)
def test_quotes_and_possessives_do_not_hide_a_name(question: str) -> None:
    assert parse(question, home(("Elsa", "grandma")), ROOMS) == Intent("appearance", ids(0), None)


def test_decomposed_and_composed_letters_are_the_same_name() -> None:
    assert parse("Is Zoe\u0308 here?", home("Zo\u00eb"), ROOMS).subject_ids == ids(0)


@pytest.mark.parametrize(
    ("said", "room"),
    [
        ("kitchen", "kitchen"),
        ("the kitchen", "kitchen"),
        ("our KITCHEN", "kitchen"),
        ("the lounge", "Living Room"),
        ("the living  room", "Living Room"),
        ("tom’s den", "tom's den"),
    ],
)
def test_rooms_are_given_back_as_configured(said: str, room: str) -> None:
    assert parse(f"Is Tom in {said}?", home("Tom"), ROOMS).room == room


def test_a_synonym_of_a_room_that_this_home_lacks_is_unknown() -> None:
    with pytest.raises(UsageError, match="lounge"):
        parse("Is Tom in the lounge?", home("Tom"), ("kitchen",))


def test_a_room_of_its_own_is_not_taken_for_a_synonym() -> None:
    assert parse("Is Tom in the lounge?", home("Tom"), ("living room", "lounge")).room == "lounge"


def test_somebody_called_like_a_room_is_told_from_it() -> None:
    household = home("Hall")
    assert parse("Is Hall in the hall?", household, ("hall",)) == Intent("existence", ids(0), "hall")


def test_nobody_enrolled_is_said_with_the_command_that_helps() -> None:
    with pytest.raises(UsageError, match="pvchat-edge person add"):
        parse("Is Grandma here?", home(), ROOMS)


def test_the_enrolled_are_listed_when_no_name_is_near_and_counted_when_they_are_many() -> None:
    with pytest.raises(UsageError, match="Enrolled: Tom, Mia"):
        parse("Is Xerxes here?", home("Tom", "Mia"), ROOMS)
    with pytest.raises(UsageError, match="9 people are enrolled"):
        parse("Is Xerxes here?", home(*(f"Person{i}" for i in range(9))), ROOMS)


def test_without_rooms_a_room_is_refused_and_the_question_without_it_is_not() -> None:
    with pytest.raises(UsageError, match="Ask without the room"):
        parse("Is Tom in the kitchen?", home("Tom"), ())
    assert parse("Is Tom in this video?", home("Tom"), ()) == Intent("existence", ids(0), None)


def test_more_people_than_the_prompt_holds_are_refused() -> None:
    names = [f"Person{i}" for i in range(9)]
    with pytest.raises(UsageError, match="9 people"):
        parse(f"Are {' and '.join(names)} here?", home(*names), ROOMS)
    assert len(parse(f"Are {' and '.join(names[:8])} here?", home(*names), ROOMS).subject_ids) == 8


@pytest.mark.parametrize("text", ["", "  \n", "x" * 501])
def test_an_empty_or_endless_question_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, home("Tom"), ROOMS)


FAMILY = home("Grandma", ("Tom", "Tommy"), ("Anna", "mum"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Is Tim in the kitchen?", 'nobody enrolled is called "Tim". Did you mean "Tom"?'),
        ("Is mom home?", 'nobody enrolled is called "mom". Did you mean "Tom" or "mum"?'),
        ("Is granny here?", 'nobody enrolled is called "granny". Did you mean "Grandma"?'),
        ("Where is Uncle Bob?", 'nobody enrolled is called "Uncle Bob". Enrolled: Grandma, Tom, Anna.'),
        ("Is Tom in the Kitchn?", 'no room is called "Kitchn". Did you mean "kitchen"?'),
    ],
)
def test_an_unknown_name_or_room_is_quoted_as_written_with_whatever_is_as_near(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, FAMILY, ROOMS)
    assert str(caught.value).startswith(words)


def test_what_somebody_does_something_with_is_no_name() -> None:
    with pytest.raises(RefusedError, match='"tv" is more than I can judge'):
        parse("Is Grandma watching TV?", FAMILY, ROOMS)


def test_a_capital_that_opens_the_sentence_behind_a_mark_makes_no_name() -> None:
    with pytest.raises(RefusedError, match="more than I can judge"):
        parse("¿Dónde está Grandma?", FAMILY, ROOMS)


def test_whether_somebody_is_alone_is_refused_for_what_it_is() -> None:
    with pytest.raises(RefusedError, match="cannot judge whether somebody is alone") as caught:
        parse("Is Grandma alone?", FAMILY, ROOMS)
    assert caught.value.next_step == 'Ask who is there: "Who is in the kitchen?".'
