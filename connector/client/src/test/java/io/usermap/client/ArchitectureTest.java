package io.usermap.client;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final JavaClasses ALL = new ClassFileImporter().importPackages("io.usermap.client");
    private static final JavaClasses MAIN = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.usermap.client");

    @Test
    void theClientDependsOnNothingButTheJdkJacksonGuavaSlf4jAndJSpecify() {
        classes()
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "io.usermap.client",
                        "java..",
                        "javax.net.ssl..",
                        "com.fasterxml.jackson..",
                        "com.google.common..",
                        "org.slf4j..",
                        "org.jspecify..")
                .check(MAIN);
    }

    @Test
    void theClientKnowsNoSpark() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.spark..", "scala..")
                .check(ALL);
    }

    @Test
    void noClassIsADrawerOfOddsAndEnds() {
        noClasses()
                .should()
                .haveNameMatching(".*(Util|Utils|Helper|Manager|Impl|Constants)(\\$.*)?")
                .check(ALL);
    }

    @Test
    void noPackageIsADrawerOfOddsAndEnds() {
        noClasses()
                .should()
                .resideInAnyPackage("..util..", "..common..", "..helper..", "..impl..", "..model..", "..exception..")
                .check(ALL);
    }

    @Test
    void nobodyHopesThatASleepIsLongEnough() {
        noClasses().should().callMethod(Thread.class, "sleep", long.class).check(ALL);
        noClasses()
                .should()
                .callMethod(Thread.class, "sleep", long.class, int.class)
                .check(ALL);
    }
}
