"""Jobs of many images: results files that resume, object stores, and Ray."""
