"""Inria Aerial Image Labeling: which pixels of an aerial picture are buildings?"""
