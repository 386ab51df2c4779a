"""Studies: variants × students × seeds × sizes × losses, each cell trained once,
compared as declared beforehand.
"""
