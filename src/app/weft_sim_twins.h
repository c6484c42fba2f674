/* weft_sim_twins - a mode of weft-sim with options of its own. */
#ifndef WEFT_APP_WEFT_SIM_TWINS_H
#define WEFT_APP_WEFT_SIM_TWINS_H

/* What stands behind `weft-sim --twins`, argv[0] included; gives the exit code. */
int weft_sim_twins(int argc, char **argv);

#endif
