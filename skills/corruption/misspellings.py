"""Words as people misspell them."""

from __future__ import annotations

import re

# Right word to wrong ones: those that rules would not find, and words of other spellings that exist.
MISSPELLED: dict[str, tuple[str, ...]] = {
    "because": ("becouse", "becuase", "becasue", "cause", "cuz"), "definitely": ("definately", "definitly"),
    "restaurant": ("restaraunt", "resturant", "restaurent"), "which": ("wich", "whitch"),
    "with": ("whit", "wiht"), "tomorrow": ("tommorow", "tomorow", "tommorrow"),
    "appointment": ("appoitment", "apointment"), "reservation": ("resevation", "reservacion"),
    "available": ("avaliable", "availible", "avalable"), "address": ("adress", "addres"),
    "beautiful": ("beatiful", "beutiful"), "different": ("diferent", "diffrent"),
    "interesting": ("intresting", "interesing"), "favorite": ("favorit", "fav", "favourit"),
    "movie": ("moive", "movi"), "really": ("realy", "real"), "people": ("peple", "poeple"),
    "friend": ("freind", "frend"), "until": ("untill",), "believe": ("beleive",), "weird": ("wierd",),
    "receive": ("recieve",), "separate": ("seperate",), "accommodation": ("accomodation",),
    "recommend": ("recomend", "reccomend"), "again": ("agian", "agen"), "government": ("goverment",),
    "environment": ("enviroment",), "knowledge": ("knowlege",), "know": ("now", "kow"),
    "successful": ("succesful", "sucessful"), "tonight": ("tonite", "tonigth"),
    "weather": ("wheather", "whether"), "whether": ("weather", "wether"), "probably": ("probaly", "prolly"),
    "especially": ("specially", "especialy"), "please": ("pls", "plz", "plese"), "thanks": ("thx", "tanks"),
    "you": ("u", "yuo"), "yeah": ("yea",), "are": ("r", "our"), "maybe": ("may be", "mabye"),
    "business": ("bussiness", "buisness"), "truly": ("truely",), "comfortable": ("confortable",),
    "calendar": ("calender",), "would": ("woud", "wuold"), "could": ("coud",), "should": ("shoud",),
    "their": ("there", "thier", "they're"), "there": ("their", "thare"), "they're": ("their", "there"),
    "your": ("you're", "you", "ur"), "you're": ("your",), "its": ("it's",), "it's": ("its",),
    "than": ("then",), "then": ("than",), "too": ("to",), "lose": ("loose",), "here": ("hear",),
    "hear": ("here",), "buy": ("by", "bye"), "right": ("rigth", "write"), "were": ("where", "was"),
    "where": ("were", "wear"), "who's": ("whose",), "whose": ("who's",), "quite": ("quiet",),
    "quiet": ("quite",), "of": ("off",), "week": ("weak",), "meet": ("meat",), "see": ("sea",),
    "wait": ("weight", "wate"), "effect": ("affect",), "affect": ("effect",), "advice": ("advise",),
    "price": ("prize", "prise"), "think": ("thing", "tink"), "thing": ("think",), "this": ("these", "tis"),
    "these": ("this",), "live": ("leave", "life"), "leave": ("live",), "want": ("wont", "wnat"),
    "new": ("knew",), "so": ("soo",), "very": ("verry", "vey"), "much": ("many", "mutch"),
    "course": ("corse",), "through": ("throught",), "thought": ("tought",), "although": ("althought",),
    "a lot": ("alot",), "other": ("anoter", "another"), "as well": ("aswell",), "in front": ("infront",),
    "thank you": ("thankyou",), "each other": ("eachother",), "at least": ("atleast",),
    "of course": ("offcourse", "ofcourse"), "something": ("some thing", "somthing"),
    "without": ("with out",), "online": ("on line",), "everything": ("every thing",),
    "cannot": ("can not",), "into": ("in to",), "someone": ("some one",), "about": ("abaut", "abt"),
    "what": ("wat", "waht"), "writing": ("writting",), "coming": ("comming",), "going": ("goin", "gonig"),
    "like": ("lik", "liek"), "sounds": ("souds", "sound's"), "good": ("goood", "god", "well"),
    "okay": ("okey",), "great": ("grate", "gret"), "time": ("tiem",), "nice": ("nise",),
    "book": ("bok", "boook"), "many": ("much",), "tell": ("say",), "interested": ("interesting",),
    "excited": ("exciting",), "bored": ("boring",), "another": ("other", "an other", "anather"),
    "others": ("other",), "my": ("me",), "them": ("they", "then"), "him": ("he",), "who": ("which",),
    "more": ("mor",), "first": ("fist", "frist"),
}  # fmt: skip

# What is written where, by ear or by analogy.
RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"ie", "ei"), (r"ei", "ie"), (r"([bcdfglmnprstz])\1", r"\1"),
        (r"(?<=[aeiou])([lmnprst])(?=[aeiou])", r"\1\1"), (r"ance$", "ence"), (r"ence$", "ance"),
        (r"able$", "ible"), (r"ible$", "able"), (r"tion", "sion"), (r"sion", "tion"), (r"ely$", "ly"),
        (r"ally$", "aly"), (r"ful$", "full"), (r"or$", "er"), (r"er$", "or"), (r"ph", "f"), (r"ck", "k"),
        (r"(?<=[^aeiou])e(?=[^aeiou])", "a"), (r"(?<=[^aeiou])a(?=[^aeiou])", "e"),
        (r"(?<=[^aeiou])i(?=[^aeiou])", "e"), (r"(?<=[^aeiou])e(?=[^aeiou])", "i"),
        (r"(?<=[^aeiou])o(?=[^aeiou])", "a"), (r"igh", "ig"), (r"ght", "gth"), (r"ough", "ou"),
        (r"wh", "w"), (r"^kn", "n"), (r"^wr", "r"), (r"sc", "s"), (r"c(?=[ei])", "s"), (r"s(?=[ei])", "c"),
        (r"(?<=[^aeiou])e$", ""), (r"ious$", "ous"), (r"ea", "ee"), (r"ee", "ea"), (r"ou", "o"),
        (r"au", "a"), (r"que$", "k"), (r"ui", "i"), (r"th", "t"), (r"mb$", "m"), (r"y$", "ie"),
    )
)  # fmt: skip

# Letters beside each other on an English keyboard.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    found: dict[str, str] = {}
    for number, row in enumerate(_ROWS):
        for place, letter in enumerate(row):
            beside = row[max(place - 1, 0) : place + 2].replace(letter, "")
            below = _ROWS[number + 1][max(place - 1, 0) : place + 1] if number < 2 else ""
            above = _ROWS[number - 1][place : place + 2] if number else ""
            found[letter] = beside + below + above
    return found


NEIGHBOURS = _neighbours()
