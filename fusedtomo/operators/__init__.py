"""The linear projector and the contrast model: how does a volume become images, and how do images go back?"""
