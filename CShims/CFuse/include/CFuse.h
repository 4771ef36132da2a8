#ifndef C
#endif
