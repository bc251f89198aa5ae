"""The parts of AR-LDM, joined in `arldm.model.arldm.ARLDM`. Nothing is imported here: half of the system starts without torch."""
