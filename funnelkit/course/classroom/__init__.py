"""A class: copies for its learners with seeds of their own, what they hand in collected, their answers checked."""
