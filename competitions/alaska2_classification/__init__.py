"""ALASKA2 Image Steganalysis: does a JPEG hide a message?"""
