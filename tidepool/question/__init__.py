"""The English of questions about code, from text to who does what to which name.

    vocabulary   words, by what they mean
    words        a text's words, and the names among them
    phrases      the words around a name, as one
    phrasings    ways to say that something is done to a thing
    meanings     what that means: which kind of change
    defaults     whether what is added has a default
    slots        ordinary words that stand where only a name can stand

All of it is tables: a new word goes into `vocabulary`, a new way to ask into `phrasings`
and, if it says something new, into `meanings`.
"""
