"""Is the model that is about to be trained one that can learn?"""
