"""Where Parsl lives: workers, their blocks, and what is handed to them."""
