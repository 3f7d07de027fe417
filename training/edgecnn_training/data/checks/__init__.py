"""What makes a score worthless: damaged files, wrong labels, copies across splits."""
