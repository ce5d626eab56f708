"""FunctionGemma as a scorer: from a folder with its weights, or behind a server of somebody else's.

    async with open_local(Path("functiongemma"), backend="int8") as rate:
        answer = await run_async(explore(query), model(rate) | world)

No text is generated for a rating. The three digits of the call that the model would make are read from what it expects
where they stand (`digits`), for all nodes of a question after one run over the prompt's beginning, which they share.

    folder   what a model's folder holds                digits   probabilities of digits -> a rubric
    network  Gemma 3 in plain torch                     tokens   prompts and calls as tokens, long texts cut
    local    both together, on threads of this process  remote   the same of llama.cpp's server, or an OpenAI-like one
"""
