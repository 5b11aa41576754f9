"""The methods: what is minimised, and by which iteration?"""
