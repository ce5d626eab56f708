"""The language-server interpreter of `Lsp`: one server's life, and answers in the domain's own words.

    async with open_session("path/to/codebase") as session:
        answer = await run_async(program, language_server(session) | ...)

`servers` is the table of known servers, `session` the life of one, `interpreter` its translation.
"""
