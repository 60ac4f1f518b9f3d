"""Scripts that measure the real model or train small ones, and store what they found."""
