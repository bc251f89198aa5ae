"""What is seen in a browser: routes, templates and what they load, no logic. Nothing is fetched from elsewhere."""
