"""One file per kind of source: class folders, CSV files, IDX, npz, HDF5, zips; nothing is decoded here."""
