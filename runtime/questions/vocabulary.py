"""The words that a question may be made of, by what they do. Knows no grammar and nobody's name.

A word that is in none of these sets is never skipped: it is a name, a room, or a reason not to answer.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


AUXILIARIES = _words("is are am be being do does can could would has have may might should 's")
ARTICLES = _words("the a an my our your")
FILLERS = _words(
    """
    please tell know say let check look see want wonder wondering question ask answer actually
    really maybe perhaps possible possibly any by i we us me you it that this these those if whether
    as then just thanks thank now currently still already yet today presently of to for on at exactly
    from with and both together all too also one describe so
    """
)
PLACES = _words(
    """
    here there home house flat apartment indoors anywhere somewhere around in inside into within
    back place premises video clip footage recording picture image film frame view sight screen
    camera cameras feed shot photo room rooms
    """
)
PRESENCE = _words(
    """
    see seen spot spotted spotting visible appear appears appearing present presence show shows
    shown showing find found detect detected recognise recognised recognize recognized come arrived
    arrive returned return back made make got get sign signs trace filmed recorded captured catch
    caught identify identified seeing among exist exists person people
    """
)
CLIP = _words("video clip footage recording film")

WHERE = _words("where whereabouts locate located location find")
WHICH = _words("which what")
ROOM_WORDS = _words("room rooms place part")
WEAR = _words("wear wears wearing dressed clothes clothing outfit outfits garment garments clad attire")
GARMENTS = _words(
    """
    top shirt t-shirt tshirt sweater jumper pullover trousers pants jeans skirt dress jacket coat
    hat cap shoes hoodie blouse cardigan scarf striped colour colours color colors red orange yellow
    green teal blue purple pink white black grey gray brown
    """
)
ACTION = _words("doing activity action busy")
ACTION_NOUNS = _words(
    "floor hand hands bowl cup head down up still left right around chair broom box arm over"
)
NOT_ACTIONS = _words(
    """
    being wearing nothing anything something everything morning evening during thing king ring sing
    bring spring missing coming going leaving arriving returning seeing looking showing appearing
    spotting wondering having string ceiling building clothing living dining laundry interesting
    boring
    """
)
DESCRIBING = _words("about kind type sort")
ASKING = _words("what which how who whom")
ANYBODY = _words(
    """
    who whom anyone anybody someone somebody nobody everyone everybody person people persons folks
    occupied empty human humans
    """
)
EVERYBODY = _words("everyone everybody family")
ANYBODY_FILLERS = _words(
    """
    how many much else no one soul number list name names count which exactly both
    """
)
STRANGER = _words(
    """
    stranger strangers intruder intruders burglar burglars thief unknown unfamiliar unrecognised
    unrecognized
    """
)
STRANGER_FILLERS = _words(
    """
    know known recognise recognize recognised recognized enrolled family member members household
    resident residents live lives belong belongs face faces not n't do does should man woman visitor
    is be familiar anything else guy
    """
)
KNOWING = _words("know known recognise recognize recognised recognized enrolled familiar")
MEMBERSHIP = _words("family member members household resident residents live lives belong belongs should")

NEGATIONS = _words("not n't never without no none neither nor")
ALTERNATIVES = _words("or either")
PLURAL_PRONOUNS = _words("they them their theirs themselves")
PRONOUNS = _words("he she him her his hers himself herself") | PLURAL_PRONOUNS
GONE = _words("gone away absent missing left leaving alone")
HISTORY = _words(
    """
    yesterday ago last earlier before previously past ever when since until often times time history
    morning afternoon evening night tonight tomorrow later soon week weeks month months year years
    monday tuesday wednesday thursday friday saturday sunday weekend january february march april
    june july august september october november december o'clock hour hours minute minutes was were
    had did been will shall gonna went leave leaves entered enter came usually always after noon
    midnight overnight long left
    """
)
PAST_OF_A_CLIP = _words("was were did been had")
ARRIVING = _words("come arrive return make get")
POSTURES = _words("sitting standing walking lying hiding staying waiting")
GREETINGS = _words("hey hi hello ok okay yes well so um uh please now and")
BEYOND = _words("same other only near behind beside besides dark asleep awake safe ill working fallen")
TAGS = _words("right ok okay then thanks please")
VERBS_OF_A_SUBJECT = _words("see know recognise recognize find look tell say ask give check want answer")
PHRASES: dict[str, str] = {
    "right now": "",
    "at the moment": "",
    "at this moment": "",
    "at this time": "",
    "at present": "",
    "by any chance": "",
    "or not": "",
    "no one": "nobody",
    "find out": "know",
    "looking for": "locate",
    "place of": "where",
    "make out": "see",
    "show up": "show",
    "shows up": "shows",
    "showing up": "showing",
}
"""Several words that mean one; never longer than what they stand for."""

GRAMMAR: frozenset[str] = frozenset().union(
    AUXILIARIES, ARTICLES, FILLERS, PLACES, PRESENCE, WHERE, WHICH, ROOM_WORDS, WEAR, GARMENTS, ACTION,
    ACTION_NOUNS, NOT_ACTIONS, ASKING, ANYBODY, EVERYBODY, ANYBODY_FILLERS, STRANGER, STRANGER_FILLERS,
    NEGATIONS, ALTERNATIVES, PRONOUNS, GONE, HISTORY, POSTURES, GREETINGS, TAGS,
    BEYOND, DESCRIBING,
)  # fmt: skip
"""Every word that a question may hold, or that says why it cannot be answered (`BEYOND`).

A name made of these words only is taken for a name where the question makes no sense without it.
"""

ROOM_SYNONYMS: dict[str, tuple[str, ...]] = {
    "living room": ("lounge", "sitting room", "livingroom", "front room", "parlour"),
    "hallway": ("hall", "corridor", "entrance", "entrance hall"),
    "bathroom": ("bath room", "bath", "shower room", "washroom"),
    "bedroom": ("bed room",),
    "kitchen": ("kitchenette",),
    "garden": ("yard", "backyard", "back yard"),
    "office": ("study", "home office"),
}

EXPANSIONS: dict[str, tuple[str, ...]] = {
    "cannot": ("can", "not"),
    "can't": ("can", "n't"),
    "won't": ("will", "n't"),
    "whats": ("what", "is"),
    "wheres": ("where", "is"),
    "whos": ("who", "is"),
    "isnt": ("is", "n't"),
    "arent": ("are", "n't"),
    "dont": ("do", "n't"),
    "doesnt": ("does", "n't"),
    "noone": ("nobody",),
    "no-one": ("nobody",),
    "let's": ("let", "us"),
}
ENDINGS: dict[str, str] = {"'re": "are", "'ve": "have", "'ll": "will", "'m": "am", "'d": "would"}
