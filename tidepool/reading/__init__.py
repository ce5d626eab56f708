"""Reading a few lines of Python without parsing them: what one mention of a name does in its line.

snippets      what is code and what is text, and which bracket is open
lens          what to look for: a change, prepared for reading many places
mentions      one mention of a name, and the kinds of site it can be
statements    its kind, by the statement or the bracket it stands in
expressions   its kind, by what stands around it in an expression
chains        whether a test is one of several of the same value
types         annotations, aliases, and other names for a name
uses          what becomes of the value, and what the arguments of a call show
"""
