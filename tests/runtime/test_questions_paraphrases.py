"""What households say, and what it means: a list written by hand, from no template."""

import pytest

from runtime.contract.dialogue import Intent
from runtime.contract.errors import RefusedError, UsageError
from runtime.contract.household import Household, Subject
from runtime.questions import parse

PEOPLE = {
    "G": Subject("s" + "1" * 32, "Grandma", ("Gran", "nana")),
    "T": Subject("s" + "2" * 32, "Tom"),
    "M": Subject("s" + "3" * 32, "Mia"),
    "S": Subject("s" + "4" * 32, "Sophie", ("mum", "mom", "mummy")),
    "A": Subject("s" + "5" * 32, "Mary Ann"),
}
HOME = Household("h1", tuple(PEOPLE.values()))
ROOMS = ("kitchen", "living_room", "hallway", "bedroom")

EXISTENCE = """
Is Grandma in the kitchen? | G kitchen
is grandma in the kitchen | G kitchen
IS GRANDMA IN THE KITCHEN?? | G kitchen
Is Gran in the kitchen right now? | G kitchen
is nana in the living room? | G living_room
Is Tom in the lounge? | T living_room
Is Tom in the sitting room at the moment? | T living_room
Is Tom in the living-room? | T living_room
Is Tom in the living_room? | T living_room
Is Mia in the hall? | M hallway
Is Mia in the corridor? | M hallway
is my mum there | S
Is mum home? | S
Is Mom at home? | S
is mummy home yet? | S
Is my mum back? | S
Has mum come home? | S
Has Tom come home yet? | T
Did Tom come home? | T
Has Tom arrived? | T
Is Tom home already? | T
Is Tom still in the bedroom? | T bedroom
Can you see Tom? | T
Can you see Tom anywhere? | T
Do you see Tom? | T
Do you see Tom in the kitchen? | T kitchen
Could you check if Tom is in the kitchen? | T kitchen
Please check whether Grandma is in the kitchen. | G kitchen
Tell me if Mia is in the bedroom | M bedroom
Can you tell me whether Mia is here? | M
Do you know if Tom is home? | T
Let me know whether Grandma is there please | G
I want to know if Grandma is in the kitchen | G kitchen
Hey, is Grandma there? | G
Hello! Is Tom here? | T
ok so is Tom here | T
Is Tom here, right? | T
Is Tom around? | T
Is Tom in? | T
Is Tom present? | T
Is Tom visible? | T
Is Tom on camera? | T
Is Tom on the camera in the hallway? | T hallway
Is Tom in the picture? | T
Is Tom in this video? | T
Was Tom in this clip? | T
Did Tom appear in the video? | T
Does Tom appear in this clip? | T
Does the camera show Tom? | T
Does the kitchen camera see Tom? | T kitchen
Have you found Tom? | T
Have you seen Tom? | T
Is that Tom? | T
Is that Grandma in the hallway? | G hallway
Is it Mia? | M
Is this Mia in the kitchen? | M kitchen
Is the person in the kitchen Grandma? | G kitchen
Any sign of Tom? | T
Any sign of Tom in the kitchen? | T kitchen
Tom here? | T
Tom in the kitchen? | T kitchen
Tom's in the kitchen? | T kitchen
Grandma? | G
Show me Tom | T
Isn't Grandma in the kitchen? | G kitchen
Isn’t Grandma here? | G
isnt grandma here | G
“Grandma” in kitchen? | G kitchen
Is Mary Ann in the kitchen? | A kitchen
is mary  ann here | A
Is our Mary Ann here today? | A
Is Grandma there by any chance? | G
Is Grandma in the kitchen or not? | G kitchen
Has Mia got home? | M
Has Mia made it home? | M
Can Grandma be seen? | G
Can Grandma be seen in the kitchen? | G kitchen
Are Grandma and Tom in the living room? | G T living_room
Are Tom and Grandma in the living room? | T G living_room
Are both Grandma and Tom here? | G T
Are Grandma & Tom both at home? | G T
Is Grandma with Tom? | G T
Is Grandma in the kitchen with Tom? | G T kitchen
Is Grandma together with Tom in the kitchen? | G T kitchen
Are mum and Tom there? | S T
Can you see Grandma, Tom and Mia? | G T M
Are Grandma, Tom, and Mia all in the kitchen? | G T M kitchen
Are Mia and Mary Ann and Tom home? | M A T
Is Tom in the kitchen, and Mia too? | T M kitchen
Is everyone home? | G T M S A
Is everybody in the living room? | G T M S A living_room
Is the whole family home? | G T M S A
"""

DESCRIBED = """
What is Tom doing? | action T
what's tom doing | action T
Whats Tom doing? | action T
What is Tom up to? | action T
What is Tom doing in the kitchen? | action T kitchen
what's mum doing right now? | action S
Can you tell me what Mia is doing? | action M
Tell me what Grandma is doing, please. | action G
Describe what Tom is doing | action T
What does Tom do? | action T
What are Grandma and Tom doing? | action G T
What is everyone doing? | action G T M S A
Is Tom sitting? | action T
Is Grandma drinking? | action G
Is Grandma sitting down? | action G
Is Mia waving? | action M
Is Tom looking around? | action T
Is Grandma standing still? | action G
What is Tom holding? | action T
What kind of clothes is Tom wearing? | appearance T
What has Tom got on? | appearance T
Is Tom walking to the left? | action T
Is Grandma sweeping the floor in the kitchen? | action G kitchen
Is Tom cooking in the kitchen? | action T kitchen
What is Tom busy with? | action T
What's going on with Tom? | action T
what's Grandma wearing today | appearance G
What is Grandma wearing? | appearance G
what’s grandma’s outfit | appearance G
What does Tom have on? | appearance T
What does Tom have on today? | appearance T
What does Mia look like? | appearance M
How is Mia dressed? | appearance M
What clothes does Mia wear? | appearance M
What colour is Tom's shirt? | appearance T
which color is tom's t-shirt? | appearance T
Is Grandma wearing a red sweater? | appearance G
Describe Grandma's clothes | appearance G
Describe Tom | appearance T
What are mum and Mia wearing? | appearance S M
What is Tom wearing in the hallway? | appearance T hallway
What was Tom wearing in this video? | appearance T
Where is Mia? | location M
Where's Mia? | location M
wheres mia | location M
Where is Mia right now? | location M
where's my mum | location S
Do you know where Tom is? | location T
Can you tell me where Grandma is? | location G
Which room is Tom in? | location T
What room is Tom in? | location T
In which room is Mary Ann? | location A
Where are Grandma and Tom? | location G T
Where can I find Tom? | location T
Find Tom | location T
I am looking for Tom | location T
Where exactly is Mia? | location M
Tom, where are you? | location T
I wonder where Mia is | location M
Can you locate Grandma? | location G
Where is Tom sitting? | location T
Do you know which room mum is in? | location S
Where in the house is Grandma? | location G
"""

PEOPLE_SEEN = """
Who is in the kitchen? | who kitchen
Who's in the kitchen? | who kitchen
whos in the kitchen | who kitchen
Who is home? | who
Who's there? | who
Who is that? | who
Who do you see? | who
Who can you see in the living room? | who living_room
Tell me who is in the hall | who hallway
Do you know who is in the kitchen? | who kitchen
Is anyone home? | who
Is anybody in the kitchen? | who kitchen
Is there anyone in the kitchen? | who kitchen
Is somebody there? | who
Is someone in the bedroom? | who bedroom
Anyone home? | who
Is there a person in the hallway? | who hallway
Is nobody home? | who
Is no one in the kitchen? | who kitchen
Is the kitchen empty? | who kitchen
How many people are in the kitchen? | who kitchen
Which people are in the living room? | who living_room
Where is everyone? | who
Who is sitting in the kitchen? | who kitchen
Who appears in this video? | who
Who was in this clip? | who
Is anyone there that you don't know? | stranger
Is there anyone you don’t recognise? | stranger
Is there a stranger in the hallway? | stranger hallway
Are there any strangers in the kitchen? | stranger kitchen
Is a stranger here? | stranger
Any strangers? | stranger
Is there an intruder? | stranger
Is there an unknown person in the living room? | stranger living_room
Is somebody there whom you do not know? | stranger
Do you see someone unfamiliar? | stranger
Do you know everybody in the kitchen? | stranger kitchen
Is there somebody in the house who shouldn't be there? | stranger
Is anyone in the kitchen who doesn't live here? | stranger kitchen
Who is the stranger in the hallway? | stranger hallway
Can you see anybody who is not a member of the family? | stranger
"""

REFUSED = """
Was Grandma in the kitchen yesterday?
Was Tom here?
When did Tom come home?
When was Mia last seen?
Has Tom been here today?
Did Tom leave?
Who was in the kitchen?
What was Tom doing this morning?
What did Grandma do yesterday?
Where was Mia an hour ago?
Will Grandma be here tomorrow?
Is Tom going to be home?
How long has Tom been in the kitchen?
Who came home?
Has anyone entered the house last night?
Was Tom here at 5?
Is Tom in the kitchen at 10:30?
What's the weather?
Are Tom and Mia in the same room?
Tell me about Tom
Is it dark in the kitchen?
Delete Tom
Is only Tom in the kitchen?
Has Tom fallen?
Is the camera on?
Is it raining?
Turn on the lights in the kitchen
Can you turn on the kitchen lights?
Hello
What time is it?
How are you?
Is Tom happy?
Is Grandma ok?
Is Grandma okay?
Is Tom well?
How is Grandma doing?
Is Grandma up?
Is Tom out?
Is Tom alone in the kitchen?
Is Tom gone?
Is Mia away?
Has Tom left?
Is Grandma not in the kitchen?
Who isn't here?
Where isn't Tom?
Is Grandma or Tom in the kitchen?
Is either Grandma or Tom here?
Is Tom in the kitchen or the hallway?
Is Grandma in the kitchen and Tom in the hallway?
What is Tom doing and what is Tom wearing?
Where is Tom and what is Tom doing?
Who is wearing red?
Who is drinking?
Who is with Grandma?
Is anyone with Grandma?
Who is Tom?
Does Tom know Grandma?
Is Tom taller than Mia?
Is Tom's cat here?
Is Tom drinking tea?
Is the oven on?
kitchen?
Où est Tom ?
?!
"""

UNKNOWN = """
Is Bob here? | "Bob"
Is bob in the kitchen? | "bob"
Where is Bob? | "Bob"
Where are my keys? | "keys"
What is uncle Bob doing? | "uncle Bob"
Is Grandma here with Bob? | "Bob"
Are Bob and Tom here? | "Bob"
Can you see the dog? | "dog"
Is Granma here? | Did you mean "Grandma"?
Is Bob's here? | "Bob"
Is Tom in the garage? | "garage"
Who is in the cellar? | "cellar"
Is Tom in the kichen? | Did you mean "kitchen"?
Is there a stranger in the garage? | "garage"
Is Grandma in Tom's bedroom? | "Tom's bedroom"
Is Grandma in Tom's room? | "Tom's room"
Is Tom at work? | "work"
Is she in the kitchen? | "she"
What is he doing? | "he"
Are they home? | "they"
"""


def rows(text: str) -> list[tuple[str, str]]:
    lines = [line.partition("|") for line in text.splitlines() if line.strip()]
    return [(question.strip(), meaning.strip()) for question, _, meaning in lines]


def intent_of(meaning: str, kind: str = "") -> Intent:
    words = meaning.split()
    if not kind:
        kind, words = words[0], words[1:]
    ids = tuple(PEOPLE[word].subject_id for word in words if word in PEOPLE)
    rooms = [word for word in words if word in ROOMS]
    return Intent(kind, ids, rooms[0] if rooms else None)  # type: ignore[arg-type]


UNDERSTOOD = [(question, intent_of(meaning, "existence")) for question, meaning in rows(EXISTENCE)] + [
    (question, intent_of(meaning)) for question, meaning in rows(DESCRIBED + PEOPLE_SEEN)
]


@pytest.mark.parametrize(("question", "intent"), UNDERSTOOD)
def test_a_household_is_understood_in_its_own_words(question: str, intent: Intent) -> None:
    assert parse(question, HOME, ROOMS) == intent


@pytest.mark.parametrize("question", [question for question, _ in rows(REFUSED)])
def test_what_cannot_be_answered_is_refused_with_a_way_on(question: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse(question, HOME, ROOMS)
    assert caught.value.next_step


@pytest.mark.parametrize(("question", "named"), rows(UNKNOWN))
def test_an_unknown_name_or_room_is_said_back_with_what_is_known(question: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(question, HOME, ROOMS)
    assert named in str(caught.value)
    assert caught.value.next_step


def test_the_list_of_paraphrases_is_long_enough_to_mean_something() -> None:
    assert len({question.casefold() for question, _ in UNDERSTOOD}) >= 120
