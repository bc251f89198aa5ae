"""Human evaluation: told stories compared blind and in pairs, by people; from the study's folder to its report. No torch."""
