"""Which results has the paper, and what does this code give for each of them?"""
